#include "model/graph/gjson_parts.h"

#include <algorithm>
#include <array>
#include <utility>

namespace modelmill::gjson {
namespace {

constexpr std::string_view kOperators = "!=<>%";

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool opens(char c) { return c == '[' || c == '(' || c == '{'; }
bool closes(char c) { return c == ']' || c == ')' || c == '}'; }

/// The last character of the text in quotes that begins at `at`.
size_t end_of_quoted(std::string_view text, size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return at;
}

/// What follows a '.': a modifier or a list of paths is asked of the value so far, as behind a pipe.
bool begins_pipe(std::string_view rest) {
  if (rest.empty()) return false;
  if (rest[0] == '@') return modifier_text(rest).has_value();
  return rest[0] == '[' || rest[0] == '{';
}

/// Without the quotes and escapes of a value in a query.
std::string unquoted(std::string_view value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') return std::string(value);
  value = value.substr(1, value.size() - 2);
  std::string out;
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && i + 1 < value.size()) ++i;
    out += value[i];
  }
  return out;
}

/// Splits "==VALUE" and the like.
void read_comparison(std::string_view text, Query& query) {
  constexpr std::array<std::string_view, 5> kTwo{"!=", "!%", "<=", ">=", "=="};
  size_t length = 1;
  for (const std::string_view two : kTwo)
    if (text.starts_with(two)) length = 2;
  query.op = text.substr(0, length);
  if (query.op == "==") query.op = "=";
  query.value = unquoted(trimmed(text.substr(length)));
}

}  // namespace

ObjectPart object_part(std::string_view path) {
  ObjectPart out;
  for (size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '|') {
      out.pipe = path.substr(i + 1);
      return out;
    }
    if (c == '.') {
      out.rest = path.substr(i + 1);
      if (begins_pipe(out.rest))
        out.pipe = out.rest;
      else
        out.more = true;
      return out;
    }
    if (c == '\\') {
      if (++i < path.size()) out.key += path[i];
      continue;
    }
    if (c == '*' || c == '?') out.wild = true;
    out.key += c;
  }
  return out;
}

std::optional<QueryText> query_text(std::string_view path) {
  if (path.size() < 2 || path[0] != '#' || (path[1] != '(' && path[1] != '[')) return std::nullopt;
  size_t i = 2;
  size_t comparison = 0;
  for (int depth = 1; i < path.size(); ++i) {
    const char c = path[i];
    if (depth == 1 && comparison == 0 && kOperators.find(c) != std::string_view::npos) {
      comparison = i;
    } else if (c == '\\') {
      ++i;
    } else if (c == '"') {
      i = end_of_quoted(path, i);
    } else if (c == '[' || c == '(') {
      ++depth;
    } else if ((c == ']' || c == ')') && --depth == 0) {
      break;
    }
  }
  if (i >= path.size()) return std::nullopt;
  QueryText out;
  out.length = i + 1;
  out.query.path = trimmed(path.substr(2, (comparison > 0 ? comparison : i) - 2));
  if (comparison > 0) read_comparison(trimmed(path.substr(comparison, i - comparison)), out.query);
  if (out.length < path.size() && path[out.length] == '#') {
    out.query.all = true;
    ++out.length;
  }
  return out;
}

ArrayPart array_part(std::string_view path) {
  ArrayPart out;
  for (size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '|') {
      out.part = path.substr(0, i);
      out.pipe = path.substr(i + 1);
      return out;
    }
    if (c == '.') {
      out.part = path.substr(0, i);
      out.rest = path.substr(i + 1);
      if (!out.hash && begins_pipe(out.rest))
        out.pipe = out.rest;
      else
        out.more = true;
      return out;
    }
    if (c != '#') continue;
    out.hash = true;
    if (i > 0) continue;
    if (path.size() > 1 && path[1] == '.') out.each = path.substr(2);
    if (auto found = query_text(path)) {
      out.query = std::move(found->query);
      i = found->length - 1;
    }
  }
  out.part = path;
  return out;
}

std::optional<ModifierText> modifier_text(std::string_view path) {
  static constexpr std::array<std::pair<std::string_view, Modifier>, 13> kKnown{{{"this", Modifier::kSame},
                                                                                 {"valid", Modifier::kSame},
                                                                                 {"ugly", Modifier::kSame},
                                                                                 {"pretty", Modifier::kSame},
                                                                                 {"reverse", Modifier::kReverse},
                                                                                 {"keys", Modifier::kUnknown},
                                                                                 {"values", Modifier::kUnknown},
                                                                                 {"flatten", Modifier::kUnknown},
                                                                                 {"join", Modifier::kUnknown},
                                                                                 {"tostr", Modifier::kUnknown},
                                                                                 {"fromstr", Modifier::kUnknown},
                                                                                 {"group", Modifier::kUnknown},
                                                                                 {"dig", Modifier::kUnknown}}};
  if (!path.starts_with('@')) return std::nullopt;
  const size_t end = std::min(path.find_first_of(":|.", 1), path.size());
  ModifierText out;
  out.name = path.substr(1, end - 1);
  for (const auto& [name, modifier] : kKnown) {
    if (name != out.name) continue;
    out.modifier = modifier;
    out.has_argument = end + 1 < path.size() && path[end] == ':';
    if (end < path.size() && path[end] != ':') out.rest = path.substr(end);
    return out;
  }
  return std::nullopt;
}

std::optional<SubPaths> sub_paths(std::string_view path) {
  SubPaths out;
  out.object = path.starts_with('{');
  int depth = 1;
  size_t start = 1;
  size_t colon = 0;
  bool modified = false;
  const auto take = [&](size_t end) {
    SubPath one;
    if (colon > 0) one.name = unquoted(path.substr(start, colon - start));
    one.path = path.substr(colon > 0 ? colon + 1 : start, end - (colon > 0 ? colon + 1 : start));
    if (colon == 0) one.name = std::string(one.path.substr(one.path.find_last_of(".|") + 1));
    out.paths.push_back(std::move(one));
    start = end + 1;
    colon = 0;
    modified = false;
  };
  for (size_t i = 1; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '\\') {
      ++i;
    } else if (c == '"') {
      i = end_of_quoted(path, i);
    } else if (c == '@') {
      modified = modified || path[i - 1] == '.' || path[i - 1] == '|';
    } else if (c == ':' && depth == 1 && colon == 0 && !modified) {
      colon = i;
    } else if (c == ',' && depth == 1) {
      take(i);
    } else if (opens(c)) {
      ++depth;
    } else if (closes(c) && --depth == 0) {
      take(i);
      out.rest = path.substr(i + 1);
      return out;
    }
  }
  return std::nullopt;
}

std::optional<size_t> pipe_at(std::string_view path) {
  int depth = 0;
  for (size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '\\')
      ++i;
    else if (c == '"' && depth > 0)
      i = end_of_quoted(path, i);
    else if (opens(c))
      ++depth;
    else if (closes(c))
      --depth;
    else if (c == '|' && depth == 0)
      return i;
  }
  return std::nullopt;
}

bool matches(std::string_view text, std::string_view pattern) {
  constexpr size_t kNone = std::string_view::npos;
  size_t t = 0, p = 0, star = kNone, from = 0;
  // Where the character at `at` ends, of several bytes in UTF-8.
  const auto after = [&text](size_t at) {
    for (++at; at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;) ++at;
    return at;
  };
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (p < pattern.size() && pattern[p] == '?') {
      t = after(t);
      ++p;
    } else if (const size_t literal = p + (p + 1 < pattern.size() && pattern[p] == '\\' ? 1 : 0);
               literal < pattern.size() && pattern[literal] == text[t]) {
      ++t;
      p = literal + 1;
    } else if (star != kNone) {
      t = from = after(from);
      p = star + 1;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace modelmill::gjson
