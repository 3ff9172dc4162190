/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of a test.
 */
#ifndef GUARDMAPS_TEST_FILES_H
#define GUARDMAPS_TEST_FILES_H

#include <stddef.h>
#include <stdint.h>

/**
 * A directory for this test's files, with mode 0700. It is created in TMPDIR or
 * /tmp on the first call, and removed with all files in it when the test ends.
 */
const char *scratch_directory(void);

/** The path of a file there; the caller frees it. */
char *scratch_path(const char *name);

/** Remove a file, or a directory and everything in it. */
void remove_tree(const char *path);

/** Write a file, or read one completely. The caller frees the contents. */
void write_file(const char *path, const void *bytes, size_t size);
void *read_file(const char *path, size_t *ret_size);
uint64_t file_size(const char *path);

/** Number of entries of a directory, without "." and "..". */
size_t directory_size(const char *path);

#endif /* GUARDMAPS_TEST_FILES_H */
