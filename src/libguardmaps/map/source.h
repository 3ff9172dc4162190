/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUARDMAPS_MAP_SOURCE_H
#define GUARDMAPS_MAP_SOURCE_H

/*
 * The sources, in the order in which they are tried. Each source has a row here
 * and a file in proc/:
 *
 *	ROW(name, ID, description, needs)
 *
 * GUARDMAPS_SOURCE_ID is its constant in guardmaps.h, SOURCE_ID its number in
 * images, from guardmaps.proto. Neither ever changes. The object source_name in
 * proc/source_name.c probes and reads it.
 */
#define GUARD_SOURCES(ROW)                                                 \
	ROW(guards, GUARDS, "/proc/PID/guards",                            \
	    "a kernel with the guardmaps series")                          \
	ROW(scan, SCAN, "PAGEMAP_SCAN with PAGE_IS_GUARD", "Linux 6.16")   \
	ROW(pagemap, PAGEMAP, "bit 58 of /proc/PID/pagemap", "Linux 6.15") \
	ROW(markers, MARKERS,                                              \
	    "swap entries in /proc/PID/pagemap; uffd-wp and poison too",   \
	    "Linux 6.13 and CAP_SYS_ADMIN")

#endif /* GUARDMAPS_MAP_SOURCE_H */
