#include "base/stable_hash.h"

namespace modelmill {
namespace {

constexpr uint64_t kFnvBasis = 14695981039346656037ULL;
constexpr uint64_t kFnvPrime = 1099511628211ULL;

/// FNV-1a (Fowler, Noll and Vo).
uint64_t fnv(uint64_t state, std::string_view text) {
  for (const char c : text) state = (state ^ static_cast<unsigned char>(c)) * kFnvPrime;
  return state;
}

}  // namespace

uint64_t spread_bits(uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

uint64_t stable_hash(std::string_view text) { return spread_bits(fnv(kFnvBasis, text)); }
uint64_t stable_hash(uint64_t salt, std::string_view text) { return spread_bits(fnv(kFnvBasis ^ salt, text)); }

}  // namespace modelmill
