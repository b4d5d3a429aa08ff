#pragma once

#include <cstdint>
#include <string_view>

namespace modelmill {

/// A number for what is added, piece by piece, for tables that compare what they find: equal pieces give equal numbers,
/// and others hardly ever. Numbers of one seed say nothing of those of another. A value, not synchronised.
class ByteHash {
 public:
  explicit ByteHash(uint64_t seed) : seed_(seed), state_(seed) {}

  void add(uint64_t number);
  /// The bytes and how many they are.
  void add(std::string_view bytes);
  uint64_t value() const;

 private:
  uint64_t seed_;
  uint64_t state_;
};

}  // namespace modelmill
