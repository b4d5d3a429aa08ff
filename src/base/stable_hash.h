#pragma once

#include <cstdint>
#include <string_view>

namespace modelmill {

/// Spreads every bit over all others: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
uint64_t spread_bits(uint64_t x);
/// A number for a text that is the same on every machine and in every release: people's assignments depend on it.
uint64_t stable_hash(std::string_view text);
/// Of a text that belongs to `salt`.
uint64_t stable_hash(uint64_t salt, std::string_view text);

}  // namespace modelmill
