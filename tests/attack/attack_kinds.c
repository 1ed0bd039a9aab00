/* The table of kinds. */
#include "attack_kinds.h"

#define OBJECT  (ON_CLOSED | ON_DIRTY | WHILE_OPEN | WHILE_LOCKED | IS_OBJECT)
#define JOURNAL (ON_DIRTY | WHILE_LOCKED)
#define WHOLE   (ON_CLOSED | ON_DIRTY | WHILE_LOCKED)
#define ROW     (ON_CLOSED | WHILE_LOCKED | HELD_HIDES)

const struct kind kinds[] = {
#define KIND(function, name, flags, weight, known) {name, function, flags, weight, known},
#include "kinds.def"
#undef KIND
};

const size_t kind_count = sizeof(kinds) / sizeof(kinds[0]);
