#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace modelmill {

struct WeightedChoice {
  uint64_t seed = 0;  // stable_hash() of what it is called
  double weight = 0;
};

/// Which of the choices a key gets, by weighted rendezvous hashing: each choice draws a number from key and seed, the
/// logarithm of which is divided by its weight, and the best draw wins (Thaler and Ravishankar, "Using name-based
/// mappings to increase hit rates", 1998; the weights as by Resch, "New hashing algorithms for data storage", SNIA
/// 2015). A choice's draw depends on nothing but itself. So when one weight grows against all others, keys go to that
/// choice and none leaves it, and nothing needs to be kept to know who was where. At least one weight is above 0.
size_t choose_by_key(uint64_t key, std::span<const WeightedChoice> choices);

/// Which of the choices has a place in [0, 1) of their weights, laid one after the other.
size_t choose_by_chance(double place, std::span<const WeightedChoice> choices);

}  // namespace modelmill
