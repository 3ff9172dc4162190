/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clean-up when a variable leaves its scope, and growing arrays. */
#ifndef GUARDMAPS_CLEANUP_H
#define GUARDMAPS_CLEANUP_H

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define _cleanup_free_ __attribute__((cleanup(cleanup_free)))
#define _cleanup_close_ __attribute__((cleanup(cleanup_close)))

/**
 * Make room for one more element in an array that holds @count of @capacity
 * elements. Returns NULL and leaves the array unchanged if there is no memory.
 */
static inline void *array_reserve(void *array, size_t count, size_t *capacity,
				  size_t element_size)
{
	if (count < *capacity)
		return array;
	size_t wanted = *capacity ? *capacity + *capacity / 2 : 16;
	array = reallocarray(array, wanted, element_size);
	if (array)
		*capacity = wanted;
	return array;
}

/** Append a value to a growing array. False if there is no memory. */
#define array_append(array, count, capacity, value)                       \
	({                                                                \
		typeof(array) reserved = array_reserve(                   \
			(array), (count), &(capacity), sizeof(*(array))); \
		if (reserved) {                                           \
			(array) = reserved;                               \
			(array)[(count)++] = (value);                     \
		}                                                         \
		reserved != NULL;                                         \
	})

#endif /* GUARDMAPS_CLEANUP_H */
