#include "cli/personality/dotenv.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <memory>
#include <string_view>

#include "repository/model_files.h"

namespace modelmill::personality {
namespace {

using Values = std::map<std::string, std::string, std::less<>>;

constexpr uint64_t kLimit = 1 << 20;

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::toupper(c); });
  return out;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-'; }

/// Reads a file from its begin to its end.
class Reader {
 public:
  Reader(std::string_view text, std::string file, const Environment& environment)
      : rest_(text), file_(std::move(file)), environment_(environment) {}

  Result<Values> read() {
    for (; !rest_.empty(); ++line_) {
      skip_blanks();
      if (!rest_.empty() && !at_end_of_line() && rest_.front() != '#') MM_RETURN_IF_ERROR(read_line());
      skip_line();
    }
    return std::move(values_);
  }

 private:
  bool at_end_of_line() const { return rest_.empty() || rest_.front() == '\n' || rest_.front() == '\r'; }
  void skip_blanks() {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
  }
  void skip_line() {
    const size_t end = rest_.find('\n');
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
  }
  Status wrong(const std::string& what) const {
    return invalid_argument(file_ + ":" + std::to_string(line_) + ": " + what);
  }

  std::string take_name() {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_name);
    std::string name(rest_.begin(), end);
    rest_.remove_prefix(name.size());
    skip_blanks();
    return name;
  }

  Status read_line() {
    std::string name = take_name();
    if (name == "export" && !rest_.empty() && rest_.front() != '=') name = take_name();
    if (name.empty()) return wrong("a line is NAME=VALUE");
    if (at_end_of_line()) return ok_status();  // a name without a value says nothing
    if (rest_.front() != '=') return wrong("'=' is missing after " + name);
    rest_.remove_prefix(1);
    skip_blanks();
    const bool literal = !rest_.empty() && rest_.front() == '\'';
    const bool quoted = literal || (!rest_.empty() && rest_.front() == '"');
    std::string value;
    if (quoted) {
      MM_ASSIGN_OR_RETURN(value, take_quoted(name));
    } else {
      value = take_plain();
    }
    values_[upper(name)] = literal ? value : expanded(value);
    return ok_status();
  }

  /// It may have several lines.
  Result<std::string> take_quoted(const std::string& name) {
    const char quote = rest_.front();
    const int first_line = line_;
    std::string value;
    for (rest_.remove_prefix(1); !rest_.empty() && rest_.front() != quote; rest_.remove_prefix(1)) {
      if (rest_.front() == '\n') ++line_;
      if (rest_.front() != '\\' || rest_.size() < 2) {
        value += rest_.front();
        continue;
      }
      value += unescaped(rest_[1], quote);
      rest_.remove_prefix(1);
    }
    if (rest_.empty()) {
      line_ = first_line;
      return wrong("the quotation of " + name + " does not end");
    }
    rest_.remove_prefix(1);
    skip_blanks();
    if (!at_end_of_line() && rest_.front() != '#') return wrong("there is more after the quotation of " + name);
    return value;
  }

  /// What a backslash and a character stand for.
  static std::string unescaped(char c, char quote) {
    if (c == '\\' || c == quote) return {c};
    if (quote == '"') {
      constexpr std::string_view kLetters = "abfnrtv", kMeant = "\a\b\f\n\r\t\v";
      if (const size_t at = kLetters.find(c); at != std::string_view::npos) return {kMeant[at]};
      if (c == '\'') return {c};
    }
    return {'\\', c};
  }

  /// Up to the end of the line, or a comment behind a blank.
  std::string take_plain() {
    size_t end = 0;
    while (end < rest_.size() && rest_[end] != '\n' && rest_[end] != '\r' &&
           !(rest_[end] == '#' && end > 0 && is_blank(rest_[end - 1])))
      ++end;
    std::string value(rest_.substr(0, end));
    rest_.remove_prefix(end);
    while (!value.empty() && is_blank(value.back())) value.pop_back();
    return value;
  }

  /// With what ${NAME} and ${NAME:-default} stand for.
  std::string expanded(std::string_view value) const {
    std::string out;
    while (!value.empty()) {
      const size_t begin = value.find("${"), end = value.find('}', begin == std::string_view::npos ? 0 : begin);
      if (begin == std::string_view::npos || end == std::string_view::npos) break;
      out += value.substr(0, begin);
      const std::string_view inside = value.substr(begin + 2, end - begin - 2);
      const size_t separator = inside.find(":-");
      out += value_of(inside.substr(0, separator),
                      separator == std::string_view::npos ? std::string_view() : inside.substr(separator + 2));
      value.remove_prefix(end + 1);
    }
    return out + std::string(value);
  }
  std::string value_of(std::string_view name, std::string_view otherwise) const {
    if (const auto found = values_.find(upper(name)); found != values_.end()) return found->second;
    return environment_(std::string(name).c_str()).value_or(std::string(otherwise));
  }

  std::string_view rest_;
  const std::string file_;
  const Environment& environment_;
  int line_ = 1;
  Values values_;
};

}  // namespace

Result<Environment> with_dotenv(const std::string& file, const Environment& environment) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return environment;
  MM_ASSIGN_OR_RETURN(const std::string text, read_file(file, kLimit));
  MM_ASSIGN_OR_RETURN(Values values, Reader(text, file, environment).read());
  const auto shared = std::make_shared<const Values>(std::move(values));
  return Environment([shared, environment](const char* name) -> std::optional<std::string> {
    if (auto said = environment(name)) return said;
    const auto found = shared->find(upper(name));
    return found == shared->end() ? std::nullopt : std::optional(found->second);
  });
}

}  // namespace modelmill::personality
