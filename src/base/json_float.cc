#include "base/json_float.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace modelmill {
namespace {

static_assert(std::endian::native == std::endian::little);
/// Sixteen characters, the first in the lowest byte.
using Text16 = unsigned __int128;

/// digits * 10^exponent.
struct Decimal {
  uint32_t digits;
  int exponent;
};

// The search for the shortest decimal is Raffaello Giulietti's ("The Schubfach way to render doubles", 2020), for
// single precision.

/// 10^k for k from kFirstPower on, as a 64-bit fraction whose first bit is set, rounded up.
constexpr int kFirstPower = -31;
constexpr std::array<uint64_t, 77> kPowers = {
    0x81CEB32C4B43FCF5, 0xA2425FF75E14FC32, 0xCAD2F7F5359A3B3F, 0xFD87B5F28300CA0E, 0x9E74D1B791E07E49,
    0xC612062576589DDB, 0xF79687AED3EEC552, 0x9ABE14CD44753B53, 0xC16D9A0095928A28, 0xF1C90080BAF72CB2,
    0x971DA05074DA7BEF, 0xBCE5086492111AEB, 0xEC1E4A7DB69561A6, 0x9392EE8E921D5D08, 0xB877AA3236A4B44A,
    0xE69594BEC44DE15C, 0x901D7CF73AB0ACDA, 0xB424DC35095CD810, 0xE12E13424BB40E14, 0x8CBCCC096F5088CC,
    0xAFEBFF0BCB24AAFF, 0xDBE6FECEBDEDD5BF, 0x89705F4136B4A598, 0xABCC77118461CEFD, 0xD6BF94D5E57A42BD,
    0x8637BD05AF6C69B6, 0xA7C5AC471B478424, 0xD1B71758E219652C, 0x83126E978D4FDF3C, 0xA3D70A3D70A3D70B,
    0xCCCCCCCCCCCCCCCD, 0x8000000000000000, 0xA000000000000000, 0xC800000000000000, 0xFA00000000000000,
    0x9C40000000000000, 0xC350000000000000, 0xF424000000000000, 0x9896800000000000, 0xBEBC200000000000,
    0xEE6B280000000000, 0x9502F90000000000, 0xBA43B74000000000, 0xE8D4A51000000000, 0x9184E72A00000000,
    0xB5E620F480000000, 0xE35FA931A0000000, 0x8E1BC9BF04000000, 0xB1A2BC2EC5000000, 0xDE0B6B3A76400000,
    0x8AC7230489E80000, 0xAD78EBC5AC620000, 0xD8D726B7177A8000, 0x878678326EAC9000, 0xA968163F0A57B400,
    0xD3C21BCECCEDA100, 0x84595161401484A0, 0xA56FA5B99019A5C8, 0xCECB8F27F4200F3A, 0x813F3978F8940985,
    0xA18F07D736B90BE6, 0xC9F2C9CD04674EDF, 0xFC6F7C4045812297, 0x9DC5ADA82B70B59E, 0xC5371912364CE306,
    0xF684DF56C3E01BC7, 0x9A130B963A6C115D, 0xC097CE7BC90715B4, 0xF0BDC21ABB48DB21, 0x96769950B50D88F5,
    0xBC143FA4E250EB32, 0xEB194F8E1AE525FE, 0x92EFD1B8D0CF37BF, 0xB7ABC627050305AE, 0xE596B7B0C643C71A,
    0x8F7E32CE7BEA5C70, 0xB35DBF821AE4F38C};

constexpr int floor_log2_pow10(int e) { return (e * 1741647) >> 19; }

/// The upper part of fraction * x, its last bit set when anything was cut off.
uint32_t round_to_odd(uint64_t fraction, uint32_t x) {
  const auto product = static_cast<unsigned __int128>(fraction) * x;
  const auto upper = static_cast<uint32_t>(product >> 64);
  return upper | static_cast<uint32_t>(static_cast<uint32_t>(product >> 32) > 1);
}

/// The shortest decimal that rounds to the normal float of these bits; of several, the closest. Branches cost more than
/// arithmetic here: the outcome of each is chance.
Decimal shortest(uint32_t fraction, int biased_exponent) {
  const uint32_t c = fraction | 1U << 23;
  const int q = biased_exponent - 150;
  const bool closer_below = fraction == 0 && biased_exponent > 1;
  const int k = (q * 1262611 - (closer_below ? 524031 : 0)) >> 22;
  const int shift = q + floor_log2_pow10(-k) + 1;
  const uint64_t power = kPowers[static_cast<size_t>(-k - kFirstPower)];
  const uint32_t odd = c & 1;
  const uint32_t lower = round_to_odd(power, (4 * c - 2 + (closer_below ? 1 : 0)) << shift) + odd;
  const uint32_t middle = round_to_odd(power, (4 * c) << shift);
  const uint32_t upper = round_to_odd(power, (4 * c + 2) << shift) - odd;
  const uint32_t s = middle / 4;
  const uint32_t tens = s / 10;
  const bool tens_down = lower <= 40 * tens;
  const bool tens_up = 40 * tens + 40 <= upper;
  const bool down = lower <= 4 * s;
  const bool up = 4 * s + 4 <= upper;
  const uint32_t half = 4 * s + 2;
  const bool nearer_up = (middle > half) | ((middle == half) & ((s & 1) != 0));
  const uint32_t one = s + static_cast<uint32_t>(down != up ? up : nearer_up);
  const bool in_tens = tens_down != tens_up;
  return {in_tens ? tens + static_cast<uint32_t>(tens_up) : one, k + static_cast<int>(in_tens)};
}

/// Eight decimal digits as text, the first in the lowest byte.
uint64_t eight_digits(uint32_t n) {
  const uint64_t fours = n / 10000 | static_cast<uint64_t>(n % 10000) << 32;
  const uint64_t hundreds = (fours * 10486 >> 20) & 0x0000'007F'0000'007F;
  const uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
  const uint64_t tens = (twos * 103 >> 10) & 0x000F'000F'000F'000F;
  return (tens | (twos - 10 * tens) << 8) + 0x3030'3030'3030'3030;
}

/// Of a number that is not zero.
int count_digits(uint32_t n) {
  static constexpr std::array<uint32_t, 10> kPowersOfTen = {1,       10,        100,        1'000,       10'000,
                                                            100'000, 1'000'000, 10'000'000, 100'000'000, 1'000'000'000};
  const auto about = static_cast<size_t>(std::bit_width(n) * 1233 >> 12);
  return static_cast<int>(about) + static_cast<int>(n >= kPowersOfTen[about]);
}

/// By the library: very large and very small numbers, and those that it writes with an exponent.
char* write_any(char* to, float value) {
  if (std::isnan(value)) return std::copy_n("NaN", 3, to);
  if (std::isinf(value)) return value < 0 ? std::copy_n("-Infinity", 9, to) : std::copy_n("Infinity", 8, to);
  char* end = std::to_chars(to, to + kJsonFloatRoom - 2, value).ptr;
  if (std::none_of(to, end, [](char c) { return c == '.' || c == 'e'; })) end = std::copy_n(".0", 2, end);
  return end;
}

}  // namespace

char* write_json_float(char* to, float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const float size = std::fabs(value);
  if (!(size >= 1e-3F && size < 1e5F)) return write_any(to, value);
  Decimal decimal = shortest(bits & 0x7FFFFF, static_cast<int>(bits >> 23 & 0xFF));
  while (decimal.digits % 10 == 0) decimal = {decimal.digits / 10, decimal.exponent + 1};
  if (decimal.exponent >= 0) return write_any(to, value);
  // Of 0.0123 = 123 * 10^-4 five digits are shown, those of 00123, one of them in front of the point.
  const int shown = std::max(count_digits(decimal.digits), 1 - decimal.exponent);
  const int whole = shown + decimal.exponent;
  const uint64_t first = eight_digits(decimal.digits / 100'000'000);
  const Text16 text = static_cast<Text16>(eight_digits(decimal.digits % 100'000'000)) << 64 | first;
  *to = '-';
  to += bits >> 31;
  // Copies of a fixed size, for speed; what they bring too much is overwritten or left over.
  const Text16 digits = text >> 8 * (16 - shown);
  const Text16 fraction = digits >> 8 * whole;
  std::memcpy(to, &digits, sizeof digits);
  to[whole] = '.';
  std::memcpy(to + whole + 1, &fraction, sizeof fraction);
  return to + shown + 1;
}

}  // namespace modelmill
