#include "init_ops.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "modelmill/backend.hpp"

namespace modelmill::tensorflow {
namespace {

namespace fs = std::filesystem;
using backend::Error;
using backend::Json;

constexpr uintmax_t kMostBytes = uintmax_t{1} << 20;
constexpr char kWhat[] = "parameter 'TF_INIT_OPS_FILE': ";

std::string text_of(const fs::path& file) {
  std::error_code error;
  const uintmax_t size = fs::file_size(file, error);
  if (error || size > kMostBytes)
    throw Error(MM_INVALID_ARGUMENT, kWhat + ("'" + file.string() + "' can't be read, or has more than 1 MiB"));
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool leaves_folder(const fs::path& path) {
  if (path.is_absolute()) return true;
  for (const fs::path& part : path)
    if (part == "..") return true;
  return false;
}

fs::path find_file(const fs::path& folder, const std::string& name) {
  if (name.empty() || leaves_folder(name))
    throw Error(MM_INVALID_ARGUMENT, kWhat + ("'" + name + "' must be a file in the folder of the version or model"));
  std::error_code ignored;
  for (const fs::path& place : {folder, folder.parent_path()})
    if (!place.empty() && fs::is_regular_file(place / name, ignored)) return place / name;
  throw Error(MM_NOT_FOUND,
              kWhat + ("there is no '" + name + "' in '" + folder.string() + "', nor in the folder " + "around it"));
}

}  // namespace

std::vector<std::string> read_init_ops(const std::string& version_folder, const std::string& name) {
  fs::path folder = fs::path(version_folder).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  const fs::path file = find_file(folder, name);
  const Json json = Json::parse(text_of(file));
  const Json& listed = json["init_ops"];
  std::vector<std::string> out;
  for (const Json& item : listed.items()) {
    if (item.kind() != Json::Kind::kString)
      throw Error(MM_INVALID_ARGUMENT, kWhat + ("'" + file.string() + "' must list names of operations in init_ops"));
    out.push_back(item.text());
  }
  if (listed.kind() != Json::Kind::kArray)
    throw Error(MM_INVALID_ARGUMENT,
                kWhat + ("'" + file.string() + "' must have a list init_ops, as in " + R"({"init_ops": ["init"]})"));
  return out;
}

}  // namespace modelmill::tensorflow
