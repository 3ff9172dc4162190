/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images with a right checksum, but with wrong records, headers or counts.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "basics.h"
#include "check.h"
#include "images.h"

static void wrong_frames(void)
{
	struct bytes file;

	craft_sample(&file);
	file.bytes[0] = 'g';
	file.size -= 4;
	add_u32(&file, crc32(0, file.bytes, file.size));
	is_reported_broken(&file, "not a guardmaps image",
			   "a file with another magic");

	begin_file(&file, 2);
	add_header(&file, 0, 0);
	end_file(&file);
	is_reported_broken(&file, "version 2", "an image of a future version");

	begin_file(&file, 0);
	add_header(&file, 0, 0);
	end_file(&file);
	is_reported_broken(&file, "version 0", "an image of version 0");

	craft_sample(&file);
	file.bytes[file.size - 1] ^= 1;
	is_reported_broken(&file, "checksum", "an image with a wrong checksum");

	begin_file(&file, 1);
	end_file(&file);
	is_broken(&file, "an image without records");
}

static void end_with_length(struct bytes *file, uint32_t length)
{
	add_u32(file, length);
	add_u32(file, crc32(0, file->bytes, file->size));
}

static void wrong_records(void)
{
	struct bytes file;

	begin_file(&file, 1);
	add_header(&file, 0, 0);
	end_with_length(&file, 4);
	is_broken(&file, "an image whose last record is missing");

	begin_file(&file, 1);
	add_header(&file, 0, 0);
	end_with_length(&file, 1 << 20);
	is_broken(&file, "an image whose last record is far too long");

	begin_file(&file, 1);
	add_header(&file, 0, 0);
	add_bytes(&file, "\x10", 1);
	end_with_length(&file, 1 << 12);
	is_broken(&file, "an image that ends within the length of a record");

	begin_file(&file, 1);
	add_header(&file, 0, 0);
	add_u32(&file, UINT32_MAX);
	end_file(&file);
	is_broken(&file, "an image with a record of 4 GiB");

	begin_file(&file, 1);
	add_header(&file, 0, 0);
	add_u32(&file, 3);
	add_bytes(&file, "\xff\xff\xff", 3);
	end_file(&file);
	is_broken(&file, "an image with a record that cannot be read");

	begin_file(&file, 1);
	add_header(&file, 0, 0);
	add_u32(&file, 0);
	add_bytes(&file, "more", 4);
	end_file(&file);
	is_broken(&file, "an image with trailing data");
}

/* guardmaps.proto limits a record to 4 MiB. */
static void large_record(void)
{
	size_t size = 5 * 1024 * 1024;
	char *name = calloc(1, size);
	struct bytes file;

	check_setup(name != NULL);
	memset(name, 'n', size);
	begin_file(&file, 1);
	add_header(&file, 1, 0);
	add_mapping_of(&file, 16, 16, GUARDMAPS_READ, name, size);
	end_file(&file);
	is_broken(&file, "an image with a record of more than 4 MiB");
	free(name);
}

static void wrong_headers(void)
{
	static const uint64_t page_sizes[] = {
		0, 1, 3, 4095, 4097, UINT64_C(1) << 63, UINT64_MAX,
	};
	static const uint64_t sources[] = { 0, 5, 99, UINT32_MAX };
	struct bytes file;

	for (size_t i = 0; i < LENGTH(page_sizes); i++) {
		begin_file(&file, 1);
		add_header_of(&file, page_sizes[i], GUARDMAPS_SOURCE_SCAN, 0,
			      0);
		end_file(&file);
		is_broken(&file, "an image with an invalid page size");
	}
	for (size_t i = 0; i < LENGTH(sources); i++) {
		begin_file(&file, 1);
		add_header_of(&file, 4096, sources[i], 0, 0);
		end_file(&file);
		is_broken(&file, "an image from an unknown source");
	}
	begin_file(&file, 1);
	add_header(&file, 0, 0);
	add_header(&file, 0, 0);
	end_file(&file);
	is_broken(&file, "an image with two headers");

	begin_file(&file, 1);
	add_mapping(&file, 16, 16);
	add_header(&file, 1, 0);
	end_file(&file);
	is_broken(&file, "an image that does not begin with its header");
}

static void wrong_counts_of(uint64_t mappings, uint64_t regions,
			    const char *what)
{
	struct bytes file;

	begin_file(&file, 1);
	add_header(&file, mappings, regions);
	add_mapping(&file, 16, 16);
	add_region(&file, 18, 1);
	end_file(&file);
	is_broken(&file, what);
}

static void wrong_counts(void)
{
	wrong_counts_of(0, 1, "an image with more mappings than it says");
	wrong_counts_of(2, 1, "an image with fewer mappings than it says");
	wrong_counts_of(1, 0, "an image with more regions than it says");
	wrong_counts_of(1, 2, "an image with fewer regions than it says");
	wrong_counts_of(UINT64_MAX, 1,
			"an image with far too many mappings in its header");
	wrong_counts_of(1, UINT64_MAX,
			"an image with far too many regions in its header");
	wrong_counts_of(UINT64_C(1) << 32 | 1, UINT64_C(1) << 32 | 1,
			"an image whose counts are too large by 2^32");
}

int main(void)
{
	check_begin();
	wrong_frames();
	wrong_headers();
	wrong_counts();
	large_record();
	wrong_records();
	return check_finish();
}
