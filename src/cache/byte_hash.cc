#include "cache/byte_hash.h"

#include <array>
#include <cstring>

#include "base/stable_hash.h"

namespace modelmill {
namespace {

__extension__ using Wide = unsigned __int128;

// Odd, with as many ones as zeros and no pattern: digits of the roots of 2, 3 and 5.
constexpr uint64_t kFirst = 0x6a09e667f3bcc909;
constexpr uint64_t kSecond = 0xbb67ae8584caa73b;
constexpr uint64_t kThird = 0x3c6ef372fe94f82b;

/// Both halves of the product: every bit of the result depends on most bits of both.
uint64_t fold(uint64_t a, uint64_t b) {
  const Wide product = Wide{a} * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t read(const char* at) {
  uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

}  // namespace

void ByteHash::add(uint64_t number) { state_ = fold(state_ ^ kFirst, number ^ seed_ ^ kSecond); }

void ByteHash::add(std::string_view bytes) {
  constexpr size_t kStep = 32;
  // Two chains, so that the processor has something to do while it multiplies.
  uint64_t one = state_;
  uint64_t two = state_ ^ kThird;
  const auto step = [&](const char* at) {
    one = fold(read(at) ^ seed_ ^ kFirst, read(at + 8) ^ one);
    two = fold(read(at + 16) ^ seed_ ^ kSecond, read(at + 24) ^ two);
  };
  const char* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= kStep; at += kStep, left -= kStep) step(at);
  if (left > 0) {
    std::array<char, kStep> last{};
    std::memcpy(last.data(), at, left);
    step(last.data());
  }
  state_ = fold(one ^ bytes.size() ^ kThird, two ^ kFirst);
}

uint64_t ByteHash::value() const { return spread_bits(state_); }

}  // namespace modelmill
