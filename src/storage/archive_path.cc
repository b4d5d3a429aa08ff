#include "storage/archive_path.h"

#include <algorithm>

namespace modelmill {
namespace {

constexpr size_t kLongestPath = 1024;
constexpr size_t kLongestPart = 255;  // NAME_MAX
constexpr size_t kDeepest = 64;

Status refused(const std::string& why) { return invalid_argument(why); }

bool is_control(char c) { return static_cast<unsigned char>(c) < 32 || c == 127; }

}  // namespace

Result<std::string> archive_path(std::string_view name) {
  if (name.empty()) return refused("it has no name");
  if (name.starts_with('/')) return refused("its name is an absolute path");
  if (name.size() > kLongestPath) return refused("its name is longer than " + std::to_string(kLongestPath) + " bytes");
  if (std::any_of(name.begin(), name.end(), is_control)) return refused("its name has a control character");
  std::string path;
  size_t depth = 0;
  while (!name.empty()) {
    const size_t slash = std::min(name.find('/'), name.size());
    const std::string_view part = name.substr(0, slash);
    name.remove_prefix(std::min(slash + 1, name.size()));
    if (part.empty() || part == ".") continue;
    if (part == "..") return refused("its name has a part '..', which would leave the folder");
    if (part.size() > kLongestPart)
      return refused("a part of its name is longer than " + std::to_string(kLongestPart) + " bytes");
    if (++depth > kDeepest) return refused("it is more than " + std::to_string(kDeepest) + " folders deep");
    path.append(path.empty() ? "" : "/").append(part);
  }
  return path;
}

Status ArchiveShape::add_file(const std::string& path) {
  MM_RETURN_IF_ERROR(add_parents(path));
  if (folders_.contains(path)) return refused("it is a folder and a file");
  if (!files_.insert(path).second) return refused("it is in the archive twice");
  return ok_status();
}

Status ArchiveShape::add_folder(const std::string& path) {
  if (path.empty()) return ok_status();
  MM_RETURN_IF_ERROR(add_parents(path));
  if (files_.contains(path)) return refused("it is a file and a folder");
  folders_.insert(path);
  return ok_status();
}

Status ArchiveShape::add_parents(const std::string& path) {
  for (size_t end = path.rfind('/'); end != std::string::npos && end > 0; end = path.rfind('/', end - 1)) {
    const std::string_view parent = std::string_view(path).substr(0, end);
    if (files_.contains(parent)) return refused("the folder that it is in is a file too");
    if (!folders_.emplace(parent).second) return ok_status();
  }
  return ok_status();
}

}  // namespace modelmill
