#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace modelmill::gjson {

/// What a path begins with where it is asked of an object: a key.
struct ObjectPart {
  std::string key;  // without its escapes
  bool wild = false;
  bool more = false;  // `rest` is asked of the member
  std::string_view rest;
  std::optional<std::string_view> pipe;  // asked of what the parts before it led to
};
ObjectPart object_part(std::string_view path);

/// #(PATH OP VALUE), or with another # behind it.
struct Query {
  std::string_view path;
  std::string_view op;  // "=" for "==" too; empty: that there is something
  std::string value;    // without its quotes
  bool all = false;
};

/// What a path begins with where it is asked of an array: an index, # or a query.
struct ArrayPart {
  std::string_view part;
  bool hash = false;
  bool more = false;
  std::string_view rest;
  std::optional<std::string_view> pipe;
  std::optional<std::string_view> each;  // #.PATH
  std::optional<Query> query;
};
ArrayPart array_part(std::string_view path);

/// A query that `path` begins with, and how long it is, the closing bracket included. nullopt: it is not closed.
struct QueryText {
  Query query;
  size_t length = 0;
};
std::optional<QueryText> query_text(std::string_view path);

enum class Modifier : uint8_t { kSame, kReverse, kUnknown };

/// A modifier of GJSON's that `path` begins with. kUnknown: one that is not known here.
struct ModifierText {
  Modifier modifier = Modifier::kSame;
  std::string_view name;
  bool has_argument = false;
  std::string_view rest;  // from the '.' or '|' on, or empty
};
std::optional<ModifierText> modifier_text(std::string_view path);

/// [PATH,...] or {NAME:PATH,...} that `path` begins with; nullopt: it is not closed.
struct SubPath {
  std::string name;
  std::string_view path;
};
struct SubPaths {
  bool object = false;
  std::vector<SubPath> paths;
  std::string_view rest;
};
std::optional<SubPaths> sub_paths(std::string_view path);

/// Where the pipe is that ends a path inside of another; nullopt: there is none.
std::optional<size_t> pipe_at(std::string_view path);

/// `text` matches a pattern of * (any characters) and ? (one).
bool matches(std::string_view text, std::string_view pattern);

}  // namespace modelmill::gjson
