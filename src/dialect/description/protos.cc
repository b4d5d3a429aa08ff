#include "dialect/description/protos.h"

#include <google/protobuf/descriptor.h>

#include <map>

namespace modelmill::description {
namespace {

using google::protobuf::FileDescriptor;
using Files = std::map<std::string, const FileDescriptor*, std::less<>>;

void add_with_imports(const FileDescriptor* file, Files& files) {
  const std::string name(file->name());
  if (name.starts_with("google/protobuf/") || !files.emplace(name, file).second) return;
  for (int i = 0; i < file->dependency_count(); ++i) add_with_imports(file->dependency(i), files);
}

Files files_of(const wire::GrpcMethods& methods) {
  Files files;
  for (const google::protobuf::ServiceDescriptor* service : methods.services())
    add_with_imports(service->file(), files);
  return files;
}

}  // namespace

std::vector<std::string> proto_files(const wire::GrpcMethods& methods) {
  std::vector<std::string> names;
  for (const auto& [name, file] : files_of(methods)) names.push_back(name);
  return names;
}

std::optional<std::string> proto_text(const wire::GrpcMethods& methods, std::string_view file) {
  const Files files = files_of(methods);
  const auto found = files.find(file);
  if (found == files.end()) return std::nullopt;
  return found->second->DebugString();
}

}  // namespace modelmill::description
