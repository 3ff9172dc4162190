/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of a test.
 */
#ifndef GUARDMAPS_TEST_FILES_H
#define GUARDMAPS_TEST_FILES_H

#include <stddef.h>
#include <stdint.h>

/**
 * A directory for this test's files, mode 0700, made under TMPDIR or /tmp when
 * first asked for and removed with all that is in it when the test ends.
 */
const char *scratch_directory(void);

/** The path of a file there; the caller frees it. */
char *scratch_path(const char *name);

/** Remove a file, or a directory with all that is in it. */
void remove_tree(const char *path);

/** Write a whole file, or read one; the caller frees what was read. */
void write_file(const char *path, const void *bytes, size_t size);
void *read_file(const char *path, size_t *ret_size);
uint64_t file_size(const char *path);

/** Number of entries of a directory, without "." and "..". */
size_t directory_size(const char *path);

#endif /* GUARDMAPS_TEST_FILES_H */
