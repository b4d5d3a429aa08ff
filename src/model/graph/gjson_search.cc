#include "model/graph/gjson_search.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "model/graph/gjson_parts.h"

namespace modelmill::gjson {
namespace {

using Kind = Value::Kind;

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// Whether a value counts as true (or, of `wanted` false, as false) to a comparison with ~.
bool counts_as(const Value& value, bool wanted) {
  switch (value.kind()) {
    case Kind::kNothing:
    case Kind::kNull:
    case Kind::kFalse: return !wanted;
    case Kind::kTrue: return wanted;
    case Kind::kNumber: return (value.as_number() != 0) == wanted;
    case Kind::kText: {
      const std::string text = lower_case(value.as_text());
      return wanted ? text == "1" || text == "t" || text == "true" : text == "0" || text == "f" || text == "false";
    }
    default: return false;
  }
}

bool counts_as(const Value& value, std::string_view tilde) {
  if (tilde == "~*") return value.exists();
  if (tilde == "~null") return !value.exists() || value.kind() == Kind::kNull;
  return counts_as(value, tilde == "~true");
}

template <typename T>
bool holds(std::string_view op, const T& left, const T& right) {
  if (op == "=") return left == right;
  if (op == "!=") return left != right;
  if (op == "<") return left < right;
  if (op == "<=") return left <= right;
  if (op == ">") return left > right;
  return op == ">=" && left >= right;
}

/// 0 for what is no number, as in GJSON.
double number_of(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end != text.data() + text.size() || error == std::errc::invalid_argument) return 0;
  if (error == std::errc::result_out_of_range) return text.starts_with('-') ? -HUGE_VAL : HUGE_VAL;
  return number;
}

/// "true" and "false" alone compare with booleans: as numbers 1 and 0, except that any other text is but unequal.
bool boolean_holds(std::string_view op, bool left, std::string_view right) {
  if (op == "=" || op == "!=") return (right == (left ? "true" : "false")) == (op == "=");
  if (op == (left ? ">=" : "<=")) return true;
  return left ? op == ">" && right == "false" : op == "<" && right == "true";
}

bool satisfies(const Query& query, const Value& value) {
  if (query.value.starts_with('~')) return boolean_holds(query.op, counts_as(value, query.value), "true");
  if (!value.exists()) return false;
  if (query.op.empty()) return true;
  switch (value.kind()) {
    case Kind::kText:
      if (query.op.ends_with('%')) return matches(value.as_text(), query.value) == (query.op == "%");
      return holds(query.op, value.as_text(), std::string_view(query.value));
    case Kind::kNumber: return holds(query.op, value.as_number(), number_of(query.value));
    case Kind::kTrue:
    case Kind::kFalse: return boolean_holds(query.op, value.kind() == Kind::kTrue, query.value);
    default: return false;
  }
}

Value modified(const Value& from, Modifier modifier) {
  if (modifier != Modifier::kReverse || !from.is_json()) return from;
  Value::Members out;
  from.each([&out](std::string_view name, const Value& value) {
    out.emplace_back(std::string(name), value);
    return true;
  });
  std::reverse(out.begin(), out.end());
  return Value::made(from.kind() == Kind::kObject, std::move(out));
}

/// One search: what it has found, and what is to be asked of that in the end.
class Search {
 public:
  Value run(const Value& from, std::string_view path) {
    if (from.kind() == Kind::kObject) in_object(from, path);
    if (from.kind() == Kind::kArray) in_array(from, path);
    return pipe_ ? search(value_, *pipe_) : std::move(value_);
  }

 private:
  bool in(const Value& from, std::string_view path) {
    if (from.kind() == Kind::kObject) return in_object(from, path);
    return from.kind() == Kind::kArray && in_array(from, path);
  }

  /// True: it is found. False may still have found a list (of all that a query matches), if nothing else comes.
  bool in_object(const Value& from, std::string_view path) {
    const ObjectPart part = object_part(path);
    if (!part.more && part.pipe) pipe_ = part.pipe;
    bool hit = false;
    from.each([&](std::string_view name, const Value& value) {
      if (part.wild ? !matches(name, part.key) : name != part.key) return true;
      if (!part.more) value_ = value;
      hit = !part.more || in(value, part.rest);
      return !hit;
    });
    return hit;
  }

  bool in_array(const Value& from, std::string_view path) {
    const ArrayPart part = array_part(path);
    if (!part.more && part.pipe) pipe_ = part.pipe;
    if (part.query) return query(from, part);
    if (part.hash) return part.part == "#" && count(from, part);
    size_t index = 0;
    const char* const end = part.part.data() + part.part.size();
    const auto read = std::from_chars(part.part.data(), end, index);
    if (part.part.empty() || read.ec != std::errc() || read.ptr != end) return false;
    bool hit = false;
    size_t at = 0;
    from.each([&](std::string_view, const Value& value) {
      if (at++ != index) return true;
      if (!part.more) value_ = value;
      hit = !part.more || in(value, part.rest);
      return false;
    });
    return hit;
  }

  /// The path without what is to be asked of the whole list.
  std::string_view without_pipe(std::string_view path) {
    const auto pipe = pipe_at(path);
    if (!pipe) return path;
    pipe_ = path.substr(*pipe + 1);
    return path.substr(0, *pipe);
  }

  bool count(const Value& from, const ArrayPart& part) {
    size_t number = 0;
    Value::Members found;
    const std::string_view path = part.each ? without_pipe(*part.each) : std::string_view();
    from.each([&](std::string_view, const Value& value) {
      ++number;
      if (part.each)
        if (Value one = search(value, path); one.exists()) found.emplace_back("", std::move(one));
      return true;
    });
    value_ = part.each ? Value::made(false, std::move(found)) : Value::count(number);
    return true;
  }

  bool query(const Value& from, const ArrayPart& part) {
    const Query& query = *part.query;
    std::optional<std::string_view> rest;
    Value::Members found;
    bool hit = false;
    from.each([&](std::string_view, const Value& item) {
      if (!item.is_json() && !query.path.empty()) return true;
      if (!satisfies(query, item.is_json() ? search(item, query.path) : item)) return true;
      if (part.more && !rest) rest = without_pipe(part.rest);
      Value one = rest ? search(item, *rest) : item;
      if (query.all) {
        if (one.exists()) found.emplace_back("", std::move(one));
        return true;
      }
      value_ = std::move(one);
      hit = true;
      return false;
    });
    if (query.all && !value_.exists()) value_ = Value::made(false, std::move(found));
    return hit;
  }

  Value value_;
  std::optional<std::string_view> pipe_;
};

Value search_each(const Value& from, const SubPaths& paths) {
  Value::Members found;
  for (const SubPath& one : paths.paths)
    if (Value value = search(from, one.path); value.exists()) found.emplace_back(one.name, std::move(value));
  return Value::made(paths.object, std::move(found));
}

}  // namespace

Value search(const Value& from, std::string_view path) {
  if (path.size() > 1) {
    if (const auto modifier = modifier_text(path)) {
      const Value value = modified(from, modifier->modifier);
      return modifier->rest.empty() ? value : search(value, modifier->rest.substr(1));
    }
    if (path[0] == '[' || path[0] == '{')
      if (const auto paths = sub_paths(path); paths) {
        const Value value = search_each(from, *paths);
        return paths->rest.empty() ? value : search(value, paths->rest.substr(1));
      }
  }
  return Search().run(from, path);
}

}  // namespace modelmill::gjson
