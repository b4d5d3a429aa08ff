#include "dialect/float_array.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <utility>

namespace modelmill {
namespace {

bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }
bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

static_assert(std::endian::native == std::endian::little);
bool are_digits(uint64_t eight) {
  return ((eight & 0xF0F0'F0F0'F0F0'F0F0) | (((eight + 0x0606'0606'0606'0606) & 0xF0F0'F0F0'F0F0'F0F0) >> 4)) ==
         0x3333'3333'3333'3333;
}
uint64_t value_of(uint64_t eight) {
  eight -= 0x3030'3030'3030'3030;
  eight = eight * 10 + (eight >> 8);
  return ((eight & 0x0000'00FF'0000'00FF) * 0x000F'4240'0000'0064 +
          ((eight >> 16) & 0x0000'00FF'0000'00FF) * 0x0000'2710'0000'0001) >>
         32;
}

constexpr std::ptrdiff_t kMostDigits = 19;  // what a uint64_t holds for sure
constexpr std::array<double, kMostDigits + 1> kPowersOfTen = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};

/// Whether rounding to a float could go wrong for what is a few units off in a double's last place: whether the bits
/// that are cut off are about one half.
bool is_near_half(double value) {
  constexpr uint64_t kCut = (uint64_t{1} << 29) - 1;
  constexpr uint64_t kHalf = uint64_t{1} << 28;
  constexpr uint64_t kOff = 8;
  return (std::bit_cast<uint64_t>(value) & kCut) - (kHalf - kOff) <= 2 * kOff;
}

/// Reads one number after the other, up to the ']' at `close`, at which all that looks for digits stops.
class NumberReader {
 public:
  NumberReader(const char* at, const char* close) : at_(at), close_(close) {}

  bool at_close() const { return at_ == close_; }
  const char* at() const { return at_; }
  void skip_spaces() {
    while (is_space(*at_)) ++at_;
  }
  bool take_comma() {
    if (*at_ != ',') return false;
    ++at_;
    skip_spaces();
    return true;
  }
  bool at_open() const { return *at_ == '['; }
  bool take_open() {
    if (*at_ != '[') return false;
    ++at_;
    return true;
  }
  /// An inner one.
  bool take_close() {
    if (at_close() || *at_ != ']') return false;
    ++at_;
    return true;
  }

  /// False: what is here is not a number, or not a float's.
  bool read(float& out) {
    const char* const begin = at_;
    at_ += *at_ == '-' ? 1 : 0;
    uint64_t digits = 0;
    const std::ptrdiff_t whole = read_digits(digits);
    if (whole == 0 || (whole > 1 && at_[-whole] == '0')) return false;
    std::ptrdiff_t fraction = 0;
    if (*at_ == '.') {
      ++at_;
      fraction = read_digits(digits);
      if (fraction == 0) return false;
    }
    if ((*at_ | 0x20) == 'e') return read_exponent() && convert(begin, out);
    if (whole + fraction > kMostDigits) return convert(begin, out);
    // Both steps round, to within a unit in the last place of a double each.
    const double value = static_cast<double>(digits) / kPowersOfTen[static_cast<size_t>(fraction)];
    if (is_near_half(value)) return convert(begin, out);
    out = static_cast<float>(*begin == '-' ? -value : value);
    return true;
  }

 private:
  /// How many digits there were; `value` is right for up to kMostDigits in all.
  std::ptrdiff_t read_digits(uint64_t& value) {
    const char* const begin = at_;
    while (close_ - at_ >= 8) {
      uint64_t eight;
      std::memcpy(&eight, at_, sizeof eight);
      if (!are_digits(eight)) break;
      value = value * 100'000'000 + value_of(eight);
      at_ += 8;
    }
    for (; is_digit(*at_); ++at_) value = value * 10 + static_cast<uint64_t>(*at_ - '0');
    return at_ - begin;
  }

  bool read_exponent() {
    ++at_;
    if (*at_ == '+' || *at_ == '-') ++at_;
    uint64_t ignored = 0;
    return read_digits(ignored) > 0;
  }

  /// By the library, for the few numbers that the short way is not sure of. What is too small or too large is left to
  /// the document's parser.
  bool convert(const char* begin, float& out) const {
    const auto [end, error] = std::from_chars(begin, at_, out);
    return error == std::errc() && end == at_;
  }

  const char* at_;
  const char* const close_;
};

/// Floats in memory that grows.
class Floats {
 public:
  void reserve(size_t count) {
    MemoryRef larger = Memory::allocate(count * sizeof(float));
    if (size_ > 0) std::memcpy(larger->data(), memory_->data(), size_ * sizeof(float));
    memory_ = std::move(larger);
    capacity_ = count;
  }
  bool full() const { return size_ == capacity_; }
  size_t size() const { return size_; }
  void push(float value) { std::memcpy(memory_->data() + size_++ * sizeof(float), &value, sizeof value); }
  FloatArray take(Shape shape) {
    const std::byte* data = memory_->data();
    return {Bytes(std::move(memory_), data, size_ * sizeof(float)), std::move(shape), static_cast<int64_t>(size_)};
  }

 private:
  MemoryRef memory_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

constexpr size_t kSample = 64;  // numbers after which the text's length tells how many there are

/// Reads the whole of an array that may have others inside.
class ArrayReader {
 public:
  explicit ArrayReader(std::string_view text) : text_(text), numbers_(text.data(), text.data() + text.size()) {
    floats_.reserve(kSample);
  }

  std::optional<FloatArray> read() {
    if (!read_array(0) || !numbers_.at_close()) return std::nullopt;
    return floats_.take(std::move(shape_));
  }

 private:
  /// From behind the bracket of an array with `depth` others around it, up to the bracket that ends it.
  bool read_array(size_t depth) {
    numbers_.skip_spaces();
    if (depth == shape_.size()) shape_.push_back(kUnknown);
    int64_t size = 0;
    if (!(numbers_.at_open() ? read_arrays(depth, size) : read_numbers(depth, size))) return false;
    if (shape_[depth] == kUnknown) shape_[depth] = size;
    return shape_[depth] == size;
  }

  bool read_arrays(size_t depth, int64_t& size) {
    if (depth + 1 == rank_ || depth + 1 == kMaxRank) return false;
    do {
      if (!numbers_.take_open() || !read_array(depth + 1) || !numbers_.take_close()) return false;
      ++size;
      numbers_.skip_spaces();
    } while (numbers_.take_comma());
    return true;
  }

  bool read_numbers(size_t depth, int64_t& size) {
    if (rank_ == 0) rank_ = depth + 1;
    if (depth + 1 != rank_) return false;
    do {
      if (floats_.full() && !make_room()) return false;
      float value = 0;
      if (!numbers_.read(value)) return false;
      floats_.push(value);
      ++size;
      numbers_.skip_spaces();
    } while (numbers_.take_comma());
    return true;
  }

  /// False: it seems to be of whole numbers.
  bool make_room() {
    const std::string_view sample = text_.substr(0, static_cast<size_t>(numbers_.at() - text_.data()));
    if (floats_.size() == kSample && sample.find_first_of(".eE") == std::string_view::npos) return false;
    // As many more as the text so far lets expect, and some.
    const size_t left = text_.size() - sample.size();
    floats_.reserve(floats_.size() + left * floats_.size() / sample.size() * 9 / 8 + kSample);
    return true;
  }

  static constexpr int64_t kUnknown = -1;

  const std::string_view text_;
  NumberReader numbers_;
  Floats floats_;
  Shape shape_;
  size_t rank_ = 0;  // 0: there was no number yet
};

}  // namespace

std::optional<FloatArray> read_float_array(std::string_view text) { return ArrayReader(text).read(); }

}  // namespace modelmill
