// What the fuzzers share.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

// Ends the run and shows the input that broke the rule.
inline void must(bool truth) {
  if (!truth) abort();
}
