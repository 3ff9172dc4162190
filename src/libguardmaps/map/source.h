/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUARDMAPS_MAP_SOURCE_H
#define GUARDMAPS_MAP_SOURCE_H

/*
 * The sources, in the order in which they are tried. Each is a row here and a
 * file in proc/:
 *
 *	ROW(name, ID, description, needs)
 *
 * ID stands for GUARDMAPS_SOURCE_ID in guardmaps.h, which never changes, and for
 * SOURCE_ID in guardmaps.proto, whose number is what images hold. How it is
 * probed and read is source_name, in proc/source_name.c.
 */
#define GUARD_SOURCES(ROW)                                                   \
	ROW(guards, GUARDS, "/proc/PID/guards",                              \
	    "a kernel with the guardmaps series")                            \
	ROW(scan, SCAN, "PAGEMAP_SCAN with PAGE_IS_GUARD", "Linux 6.16")     \
	ROW(pagemap, PAGEMAP, "bit 58 of /proc/PID/pagemap", "Linux 6.15")   \
	ROW(markers, MARKERS,                                                \
	    "swap entries in /proc/PID/pagemap; uffd-wp and poison too",     \
	    "Linux 6.13 and CAP_SYS_ADMIN")

#endif /* GUARDMAPS_MAP_SOURCE_H */
