/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The wire format of Protocol Buffers (protobuf.dev, "Encoding"), for messages
 * that protobuf-c would unpack to many times their size.
 */
#ifndef GUARDMAPS_WIRE_H
#define GUARDMAPS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_type {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_BYTES = 2,
	WIRE_FIXED32 = 5,
};

/** What is left of a message. */
struct wire {
	const uint8_t *at;
	const uint8_t *end;
};

struct wire_field {
	uint64_t number;
	enum wire_type type;
	/** Only of a VARINT. */
	uint64_t value;
	/** Only of BYTES. */
	struct wire bytes;
};

/** Take a number. Returns false if it is malformed. */
static inline bool wire_take_number(struct wire *wire, uint64_t *ret)
{
	uint64_t number = 0;

	for (unsigned int shift = 0; shift < 64 && wire->at < wire->end;
	     shift += 7) {
		uint8_t byte = *wire->at++;
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret = number;
			return true;
		}
	}
	return false;
}

static inline bool wire_take_bytes(struct wire *wire, uint64_t size,
				   struct wire *ret)
{
	if (size > (size_t)(wire->end - wire->at))
		return false;
	*ret = (struct wire){ wire->at, wire->at + size };
	wire->at += size;
	return true;
}

/** Take a field. Returns false if it is malformed. */
static inline bool wire_take_field(struct wire *wire, struct wire_field *ret)
{
	uint64_t tag, size;

	if (!wire_take_number(wire, &tag) || tag >> 3 == 0)
		return false;
	*ret = (struct wire_field){ .number = tag >> 3, .type = tag & 7 };
	switch (ret->type) {
	case WIRE_VARINT:
		return wire_take_number(wire, &ret->value);
	case WIRE_FIXED64:
		return wire_take_bytes(wire, 8, &ret->bytes);
	case WIRE_FIXED32:
		return wire_take_bytes(wire, 4, &ret->bytes);
	case WIRE_BYTES:
		return wire_take_number(wire, &size) &&
		       wire_take_bytes(wire, size, &ret->bytes);
	default:
		return false;
	}
}

#endif /* GUARDMAPS_WIRE_H */
