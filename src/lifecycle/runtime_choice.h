#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "catalog/runtime_report.h"

namespace modelmill {

/// The layouts of a machine's cores that are worth a try: one instance a core, one of all cores, and some in between.
/// `threads` and `instances` above 0 are settled already.
std::vector<RuntimeLayout> layouts_to_try(const std::string& backend, int cores, int threads, int instances);

/// Rows a second that a candidate would answer with so many rows in flight, from 1: those that are more than its
/// instances run together, as many as bring the best rate. 0 for one that is out. Pure.
double served_rate(const RuntimeCandidate& candidate, double rows_in_flight);

/// What should run, and how it compares with what does.
struct RuntimeChoice {
  size_t best = 0;
  double gain = 1;  // rate of the best over that of `current`
};

/// The candidate that serves `rows_in_flight` best. Of those whose rates are less than 2% apart the first one wins;
/// `current`, where it is a candidate, before all. One with the cores shared out otherwise than in `current` must have
/// `other_layout` times the rate of another to be preferred to it. Pure; `candidates` has at least one that is not out.
RuntimeChoice choose_runtime(const std::vector<RuntimeCandidate>& candidates, const RuntimeLayout& current,
                             double rows_in_flight, double other_layout = 1);

}  // namespace modelmill
