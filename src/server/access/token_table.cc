#include "server/access/token_table.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <optional>
#include <span>

#include "base/check.h"
#include "base/hex_text.h"
#include "wire/http_text.h"

namespace modelmill {
namespace {

using Hash = std::array<unsigned char, 32>;

Hash sha256(std::string_view text) {
  // Fetched once: looking it up costs more than hashing.
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  Hash hash{};
  unsigned size = 0;
  MM_CHECK(algorithm != nullptr && EVP_Digest(text.data(), text.size(), hash.data(), &size, algorithm, nullptr) == 1 &&
               size == hash.size(),
           "OpenSSL has no SHA-256");
  return hash;
}

std::string hex_start(const Hash& hash) { return hex_text(std::span(hash).first(4)); }

/// The words of a line, without its comment.
std::vector<std::string_view> words_of(std::string_view line) {
  line = line.substr(0, line.find('#'));
  std::vector<std::string_view> words;
  while (true) {
    const size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    const size_t end = std::min(line.find_first_of(" \t\r"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

/// Calls `each(words, number)` for the lines that have words, until it returns false.
template <typename Each>
void for_each_line_of_words(std::string_view text, Each each) {
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::vector<std::string_view> words = words_of(text.substr(0, end));
    if (!words.empty() && !each(words, number)) return;
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

/// What a header can carry.
bool is_token(std::string_view word) {
  for (const char c : word)
    if (c <= ' ' || static_cast<unsigned char>(c) >= 127) return false;
  return true;
}

Result<uint8_t> group_bits(std::string_view list) {
  uint8_t bits = 0;
  while (true) {
    const size_t comma = list.find(',');
    const std::string_view name = list.substr(0, comma);
    const auto group = wire::api_group_named(name);
    if (!group) {
      std::string known;
      for (const std::string_view each : wire::kApiGroupNames) known += (known.empty() ? "" : ", ") + std::string(each);
      return invalid_argument("'" + std::string(name) + "' is no group of calls; they are " + known);
    }
    bits = static_cast<uint8_t>(bits | 1u << static_cast<int>(*group));
    if (comma == std::string_view::npos) return bits;
    list.remove_prefix(comma + 1);
  }
}

Result<TokenTable::Token> parse_line(const std::vector<std::string_view>& words) {
  if (words.size() > 3)
    return invalid_argument("a line is TOKEN, NAME TOKEN, or NAME TOKEN GROUP,GROUP...; this one has more words");
  const std::string_view token = words[words.size() == 1 ? 0 : 1];
  if (!is_token(token)) return invalid_argument("the token has characters that no header can carry; use ASCII");
  TokenTable::Token made;
  made.hash = sha256(token);
  made.name = words.size() == 1 ? hex_start(made.hash) : std::string(words[0]);
  made.groups = (1u << wire::kApiGroups) - 1;
  if (words.size() == 3) {
    MM_ASSIGN_OR_RETURN(made.groups, group_bits(words[2]));
  }
  return made;
}

}  // namespace

Result<TokenTable> TokenTable::parse(std::string_view text) {
  TokenTable table;
  Status wrong;
  for_each_line_of_words(text, [&](const std::vector<std::string_view>& words, size_t number) {
    Result<Token> token = parse_line(words);
    if (token.ok())
      table.tokens_.push_back(std::move(*token));
    else
      wrong = token.status().with_context("line " + std::to_string(number));
    return token.ok();
  });
  MM_RETURN_IF_ERROR(wrong);
  if (table.tokens_.empty()) return invalid_argument("it has no token; write one on a line of its own");
  return table;
}

const TokenTable::Token* TokenTable::find(std::string_view presented) const {
  const Hash hash = sha256(presented);
  const Token* found = nullptr;
  for (const Token& token : tokens_)
    if (CRYPTO_memcmp(token.hash.data(), hash.data(), hash.size()) == 0) found = &token;
  return found;
}

std::string first_token(std::string_view text) {
  std::string token;
  for_each_line_of_words(text, [&token](const std::vector<std::string_view>& words, size_t) {
    token = words[words.size() == 1 ? 0 : 1];
    return false;
  });
  return token;
}

std::string_view bearer_token(std::string_view authorization) {
  constexpr std::string_view kBearer = "bearer";
  if (!wire::equals_ignoring_case(authorization.substr(0, kBearer.size()), kBearer)) return {};
  authorization.remove_prefix(kBearer.size());
  const size_t begin = authorization.find_first_not_of(' ');
  if (begin == 0 || begin == std::string_view::npos) return {};
  authorization.remove_prefix(begin);
  return authorization.substr(0, authorization.find_last_not_of(' ') + 1);
}

}  // namespace modelmill
