/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The frame of an image around its records: see guardmaps.proto. */
#ifndef GUARDMAPS_IMAGE_FORMAT_H
#define GUARDMAPS_IMAGE_FORMAT_H

#include "guardmaps.h"

#define IMAGE_MAGIC "GUARDMAP"
#define IMAGE_MAGIC_SIZE 8
#define IMAGE_VERSION 1
#define PREAMBLE_SIZE (IMAGE_MAGIC_SIZE + 4)
/* The zero length that ends the records, and the checksum. */
#define TRAILER_SIZE 8
#define MAXIMUM_RECORD_SIZE (4 * 1024 * 1024)

/* The bits in guardmaps.proto are those of guardmaps.h. */
_Static_assert(GUARDMAPS_READ == 1 && GUARDMAPS_WRITE == 2 &&
		       GUARDMAPS_EXECUTE == 4 && GUARDMAPS_SHARED == 8,
	       "permissions in images");
_Static_assert(GUARDMAPS_LOCKED == 1 && GUARDMAPS_LOCKED_ON_FAULT == 2,
	       "locks in images");

#endif /* GUARDMAPS_IMAGE_FORMAT_H */
