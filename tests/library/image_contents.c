/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images with a right checksum, but with wrong mappings, regions or owners.
 */

#include "basics.h"
#include "check.h"
#include "images.h"

static void wrong_mapping(uint64_t gap, uint64_t length, const char *what)
{
	struct bytes file;

	begin_file(&file, 1);
	add_header(&file, 2, 0);
	add_mapping(&file, 16, 16);
	add_mapping(&file, gap, length);
	end_file(&file);
	is_broken(&file, what);
}

static void wrong_mappings(void)
{
	struct bytes file;

	wrong_mapping(0, 0, "an image with an empty mapping");
	wrong_mapping((UINT64_C(1) << 52) - 20, 1,
		      "an image with a mapping that starts below the last");
	wrong_mapping(UINT64_MAX, 1, "an image with a gap that wraps around");
	wrong_mapping(0, UINT64_C(1) << 52,
		      "an image with a mapping that wraps around");
	wrong_mapping(1, UINT64_MAX,
		      "an image with a mapping of endless length");

	begin_file(&file, 1);
	add_header(&file, 1, 0);
	add_mapping_of(&file, 16, 16, 16, "", 0);
	end_file(&file);
	is_broken(&file, "an image with unknown permissions");

	begin_file(&file, 1);
	add_header(&file, 1, 0);
	add_mapping_of(&file, 16, 16, GUARDMAPS_READ, "a\0b", 3);
	end_file(&file);
	is_broken(&file, "an image with a zero byte in a name");

	begin_file(&file, 1);
	add_header(&file, 2, 1);
	add_mapping(&file, 16, 16);
	add_region(&file, 16, 1);
	add_mapping(&file, 16, 16);
	end_file(&file);
	is_broken(&file, "an image with a mapping after regions");
}

/* A reader must not drop an unknown bit. */
static void wrong_locks(void)
{
	static const uint64_t wrong[] = { 4, 7, 8, 256, UINT32_MAX };
	struct guardmaps_map *map;
	struct bytes file;

	for (size_t i = 0; i < LENGTH(wrong); i++) {
		begin_file(&file, 1);
		add_header(&file, 1, 0);
		add_locked_mapping(&file, wrong[i]);
		end_file(&file);
		is_broken(&file, "an image with unknown locks");
	}
	begin_file(&file, 1);
	add_header(&file, 1, 0);
	add_locked_mapping(&file, 3);
	end_file(&file);
	is_taken(&file, "an image with all known locks", &map);
	check_number(map ? guardmaps_map_mapping(map, 0)->flags : 0,
		     GUARDMAPS_LOCKED | GUARDMAPS_LOCKED_ON_FAULT,
		     "the locks are read");
	guardmaps_map_destroy(map);
}

/* The mappings are [16, 32) and [32, 48); the previous region is [18, 20). */
static void wrong_region(uint64_t gap, uint64_t length, const char *what)
{
	struct bytes file;

	begin_file(&file, 1);
	add_header(&file, 2, 2);
	add_mapping(&file, 16, 16);
	add_mapping(&file, 0, 16);
	add_region(&file, 18, 2);
	add_region(&file, gap, length);
	end_file(&file);
	is_broken(&file, what);
}

static void wrong_regions(void)
{
	static const uint64_t half[] = { 18, 2, 1 };
	struct bytes file;

	wrong_region(1, 0, "an image with an empty region");
	wrong_region(0, 1, "an image with two adjacent regions");
	wrong_region((UINT64_C(1) << 52) - 2, 1,
		     "an image with a region that overlaps the last");
	wrong_region((UINT64_C(1) << 52) - 4, 1,
		     "an image with a region below the last");
	wrong_region(UINT64_MAX, 2, "an image whose gap wraps around");
	wrong_region(1, UINT64_MAX, "an image with a region without an end");
	wrong_region(40, 1, "an image with a region above its mappings");
	wrong_region(27, 4,
		     "an image with a region partly outside its mapping");
	wrong_region(11, 2, "an image with a region across a boundary");

	begin_file(&file, 1);
	add_header(&file, 1, 2);
	add_mapping(&file, 16, 16);
	add_regions(&file, half, LENGTH(half));
	end_file(&file);
	is_broken(&file, "an image with half a region");

	begin_file(&file, 1);
	add_header(&file, 1, 1);
	add_region(&file, 18, 1);
	add_mapping(&file, 16, 16);
	end_file(&file);
	is_broken(&file, "an image with regions before their mappings");

	begin_file(&file, 1);
	add_header(&file, 0, 1);
	add_region(&file, 18, 1);
	end_file(&file);
	is_broken(&file, "an image with a region but no mapping");
}

static void wrong_owner(uint64_t region, const char *what)
{
	struct bytes file;

	begin_file(&file, 1);
	add_header(&file, 1, 1);
	add_mapping(&file, 16, 16);
	add_region(&file, 18, 1);
	add_owner(&file, region, 77);
	end_file(&file);
	is_broken(&file, what);
}

/* A mapping with a region, an owner of it, and one more of either. */
static void begin_owned(struct bytes *file, uint64_t regions)
{
	begin_file(file, 1);
	add_header(file, 1, regions);
	add_mapping(file, 16, 16);
	add_region(file, 18, 1);
	add_owner(file, 0, 77);
}

static void wrong_ids(void)
{
	static const uint64_t ids[] = { (uint64_t)INT32_MAX + 1, UINT32_MAX };
	struct guardmaps_map *map;
	struct bytes file;

	for (size_t i = 0; i < LENGTH(ids); i++) {
		begin_file(&file, 1);
		add_full_header(&file, 4096, ids[i], GUARDMAPS_SOURCE_SCAN, 0,
				0);
		end_file(&file);
		is_broken(&file, "an image with a process id above INT32_MAX");

		begin_file(&file, 1);
		add_header(&file, 1, 1);
		add_mapping(&file, 16, 16);
		add_region(&file, 18, 1);
		add_owner(&file, 0, ids[i]);
		end_file(&file);
		is_broken(&file, "an image with a thread id above INT32_MAX");
	}

	begin_file(&file, 1);
	add_full_header(&file, 4096, INT32_MAX, GUARDMAPS_SOURCE_SCAN, 1, 1);
	add_mapping(&file, 16, 16);
	add_region(&file, 18, 1);
	add_owner(&file, 0, INT32_MAX);
	end_file(&file);
	is_taken(&file, "an image with ids of INT32_MAX", &map);
	guardmaps_map_destroy(map);
}

static void wrong_order_of_owners(void)
{
	struct guardmaps_map *map;
	struct bytes file;

	begin_owned(&file, 1);
	end_file(&file);
	is_taken(&file, "an image with an owner", &map);
	guardmaps_map_destroy(map);

	begin_owned(&file, 1);
	add_owner(&file, 0, 78);
	end_file(&file);
	is_broken(&file, "an image with two owners for one region");

	begin_owned(&file, 2);
	add_region(&file, 1, 1);
	end_file(&file);
	is_broken(&file, "an image with a region after owners");
}

static void wrong_owners(void)
{
	wrong_ids();
	wrong_order_of_owners();
	wrong_owner(1, "an image with an owner of a missing region");
	wrong_owner(UINT64_C(1) << 32, "an image with an owner of region 2^32");
	wrong_owner(UINT64_MAX, "an image with an owner of the last number");
}

int main(void)
{
	check_begin();
	wrong_mappings();
	wrong_locks();
	wrong_regions();
	wrong_owners();
	return check_finish();
}
