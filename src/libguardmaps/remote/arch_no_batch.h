/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For architectures without BATCH_CODE: see arch.h. */
#define BATCH_CODE ""
#define BATCH_CODE_SIZE 0
#define BATCH_END -1

static inline void arch_set_batch(registers *regs, uint64_t code,
				  uint64_t table, size_t count)
{
	(void)regs;
	(void)code;
	(void)table;
	(void)count;
}

static inline bool arch_has_ended_batch(const registers *regs, uint64_t code,
					uint64_t *ret_next, int64_t *ret_result)
{
	(void)regs;
	(void)code;
	*ret_next = 0;
	*ret_result = 0;
	return false;
}
