#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace modelmill::fuzz {

/// An input taken apart: its first line is a list of choices, a byte each, and what follows is the content. So the
/// fuzzer can change how bytes are delivered without changing them, and a text file can be a seed.
class Input {
 public:
  explicit Input(std::string_view bytes) {
    const size_t end = std::min(bytes.find('\n'), bytes.size());
    choices_ = bytes.substr(0, end);
    content_ = bytes.substr(std::min(end + 1, bytes.size()));
  }

  std::string_view content() const { return content_; }
  bool more_choices() const { return !choices_.empty(); }
  /// The next choice; 0 after the last.
  uint8_t choice() {
    if (choices_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(choices_.front());
    choices_.remove_prefix(1);
    return byte;
  }
  /// The next choice as one of `n`.
  size_t choice_of(size_t n) { return choice() % n; }

 private:
  std::string_view choices_;
  std::string_view content_;
};

/// Gives `text` to `take` in pieces whose sizes the input chooses; all that is left once it makes no more choices.
template <typename Take>
void cut(Input& input, std::string_view text, Take take) {
  while (!text.empty()) {
    const size_t wish = input.more_choices() ? 1 + input.choice() : text.size();
    const size_t n = std::min(wish, text.size());
    take(text.substr(0, n));
    text.remove_prefix(n);
  }
}

}  // namespace modelmill::fuzz
