#include "dialect/number_arrays.h"

#include <charconv>
#include <optional>
#include <utility>

namespace modelmill {
namespace {

/// Shorter arrays are as well read by the parser.
constexpr size_t kLarge = 4096;
/// After so many arrays in a row that stay, the text is taken for one without large ones.
constexpr int kFailures = 16;
/// Arrays in arrays are tried as a whole until so many were not to be read: what is inside is read again then.
constexpr int kNestedFailures = 4;
/// A mark is a string that begins with a character which JSON text can have in this form only.
constexpr std::string_view kEscapedMark = "\\u0001";
constexpr char kMark = '\x01';

/// Strings are stepped over, up to so many: a text with more is one of strings.
constexpr int kStrings = 4096;

/// Steps through a JSON text from one opening bracket outside of strings to the next.
class Brackets {
 public:
  explicit Brackets(std::string_view text) : text_(text), bracket_(find('[', 0)), quote_(find('"', 0)) {}

  /// The next '[' from `at` on, or npos. `at` grows from call to call and is outside of strings.
  size_t next(size_t at) {
    while (true) {
      if (bracket_ < at) bracket_ = find('[', at);
      if (quote_ < at) quote_ = find('"', at);
      if (bracket_ <= quote_) return bracket_;
      if (bracket_ == std::string_view::npos || ++strings_ > kStrings) return std::string_view::npos;
      at = string_end(quote_);
    }
  }

 private:
  size_t find(char c, size_t at) const { return text_.find(c, at); }

  /// Behind the quote that ends the string beginning at `open`: one with an even number of backslashes before it.
  size_t string_end(size_t open) const {
    size_t at = open;
    while (true) {
      at = text_.find('"', at + 1);
      if (at == std::string_view::npos) return text_.size();
      size_t backslashes = 0;
      while (text_[at - 1 - backslashes] == '\\') ++backslashes;
      if (backslashes % 2 == 0) return at + 1;
    }
  }

  const std::string_view text_;
  size_t bracket_;
  size_t quote_;
  int strings_ = 0;
};

bool is_json_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

bool has_array_first(std::string_view text, size_t open) {
  do ++open;
  while (open < text.size() && is_json_space(text[open]));
  return open < text.size() && text[open] == '[';
}

/// Where the arrays that open at `at`, of nothing but arrays and numbers, come to their end; npos: they don't, or nest
/// too deep. Of others it may be anywhere.
size_t end_of_nested(std::string_view text, size_t at) {
  size_t depth = 0;
  while (true) {
    for (; at < text.size() && (text[at] == '[' || text[at] == ',' || is_json_space(text[at])); ++at)
      if (text[at] == '[' && ++depth > kMaxRank) return std::string_view::npos;
    at = text.find(']', at);
    if (at == std::string_view::npos) return at;
    for (; at < text.size() && (text[at] == ']' || is_json_space(text[at])); ++at)
      if (text[at] == ']' && --depth == 0) return at;
  }
}

}  // namespace

NumberArrays::NumberArrays(std::string_view text) {
  if (text.size() < kLarge) return;
  Brackets brackets(text);
  size_t copied = 0;
  size_t close = 0;
  int failures = 0, nested_failures = 0;
  for (size_t open = brackets.next(0); open != std::string_view::npos && failures < kFailures;) {
    const bool nested = nested_failures < kNestedFailures && has_array_first(text, open);
    if (close <= open) close = text.find(']', open);
    if (close == std::string_view::npos) break;
    const size_t end = nested ? end_of_nested(text, open) : close;
    std::optional<FloatArray> values;
    if (end != std::string_view::npos && end - open >= kLarge)
      values = read_float_array(text.substr(open + 1, end - open - 1));
    if (values) {
      rest_.append(text.substr(copied, open - copied)).append("[\"").append(kEscapedMark);
      rest_.append(std::to_string(arrays_.size())).append("\"]");
      copied = end + 1;
      arrays_.push_back({std::move(*values), text.substr(open, end + 1 - open)});
    }
    failures = values ? 0 : failures + 1;
    nested_failures += nested && !values ? 1 : 0;
    open = brackets.next(values ? end + 1 : open + 1);
  }
  if (arrays_.empty()) return;
  rest_.append(text.substr(copied));
  size_t marks = 0;
  for (size_t at = 0; (at = rest_.find(kEscapedMark, at)) != std::string::npos; ++at) ++marks;
  if (marks != arrays_.size()) arrays_.clear();  // the client's own text has such a character
}

const NumberArrays::Array* NumberArrays::find(simdjson::dom::element value) const {
  std::string_view mark;
  if (arrays_.empty() || value.get_string().get(mark) != simdjson::SUCCESS) return nullptr;
  if (mark.empty() || mark.front() != kMark) return nullptr;
  size_t index = 0;
  std::from_chars(mark.data() + 1, mark.data() + mark.size(), index);
  return index < arrays_.size() ? &arrays_[index] : nullptr;
}

std::string NumberArrays::restored(std::string_view json) const {
  std::string out;
  size_t copied = 0;
  const std::string begin = "[\"" + std::string(kEscapedMark);
  for (size_t at = 0; !arrays_.empty() && (at = json.find(begin, copied)) != std::string_view::npos;) {
    size_t index = 0;
    const char* const end = json.data() + json.size();
    const auto [last, error] = std::from_chars(json.data() + at + begin.size(), end, index);
    constexpr size_t kClose = 2;  // "]
    if (error != std::errc() || index >= arrays_.size() || end - last < static_cast<std::ptrdiff_t>(kClose)) break;
    out.append(json.substr(copied, at - copied)).append(arrays_[index].text);
    copied = static_cast<size_t>(last - json.data()) + kClose;
  }
  return out.append(json.substr(copied));
}

}  // namespace modelmill
