#include "pytree.h"

#include "modelmill/backend.hpp"

namespace modelmill::pytorch {
namespace {

using backend::Json;

/// The keys of a dictionary, which are its context: JSON in a string; those of an OrderedDict too.
std::vector<std::string> keys_of(const Json& node) {
  std::vector<std::string> out;
  if (node["type"].text().find("ict") == std::string::npos) return out;
  const Json keys = Json::parse(node["context"].text("[]"));
  for (const Json& key : keys.items()) out.push_back(key.text());
  return out;
}

void add_names(const Json& node, const std::string& path, std::vector<std::string>& out) {
  if (node["type"].is_null()) {
    out.push_back(path);
    return;
  }
  const std::vector<std::string> keys = keys_of(node);
  const auto& children = node["children_spec"].items();
  for (size_t i = 0; i < children.size(); ++i) {
    std::string name = path;
    if (i < keys.size()) {
      name += (path.empty() ? "" : ".") + keys[i];
    } else if (!path.empty() && children.size() > 1) {
      name += "." + std::to_string(i);
    }
    add_names(children[i], name, out);
  }
}

}  // namespace

std::vector<std::string> pytree_names(std::string_view spec) {
  std::vector<std::string> out;
  try {
    const Json json = Json::parse(spec);
    if (json.items().size() == 2) add_names(json.items()[1], "", out);
  } catch (const backend::Error&) {
    out.clear();
  }
  return out;
}

}  // namespace modelmill::pytorch
