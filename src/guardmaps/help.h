/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HELP_H
#define HELP_H

#include "verb.h"

/** Print the help of a verb, or the general help if it is NULL. */
void print_help(const struct verb *verb);

#endif /* HELP_H */
