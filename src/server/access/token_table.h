#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/api_group.h"

namespace modelmill {

/// The bearer tokens of one file, constant once made. Of each only its SHA-256 is kept.
class TokenTable {
 public:
  struct Token {
    std::string name;  // whose it is; of one without a name, the beginning of its hash
    std::array<unsigned char, 32> hash;
    uint8_t groups = 0;  // bit n: wire::ApiGroup n

    bool allows(wire::ApiGroup group) const { return (groups >> static_cast<int>(group) & 1) != 0; }
  };

  /// Lines of "TOKEN", "NAME TOKEN" or "NAME TOKEN GROUP,GROUP..."; '#' begins a comment. INVALID_ARGUMENT names the
  /// line, and never shows a token; so it is when there is none.
  static Result<TokenTable> parse(std::string_view text);

  /// The token, or null. The time taken tells nothing about those in the table.
  const Token* find(std::string_view presented) const;
  size_t size() const { return tokens_.size(); }

 private:
  std::vector<Token> tokens_;
};

/// The first token in such a text, as a client sends it; empty if there is none.
std::string first_token(std::string_view text);

/// The token in the value of an Authorization header, "Bearer TOKEN"; empty if it has another form.
std::string_view bearer_token(std::string_view authorization);

}  // namespace modelmill
