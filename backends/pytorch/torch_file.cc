#include "torch_file.h"

#include <algorithm>
#include <vector>

#include "modelmill/backend.hpp"
#include "zip_directory.h"

namespace modelmill::pytorch {
namespace {

using backend::Error;

constexpr std::string_view kCode = "data/aotinductor/";
constexpr uint64_t kMostWrapper = uint64_t{64} << 20;
constexpr const char* kToScript = "torch.jit.script(model).save(FILE), or torch.jit.trace(model, inputs).save(FILE)";
constexpr const char* kToPackage = "torch._inductor.aoti_compile_and_package(torch.export.export(model, inputs))";

/// Files of torch keep all that they have in one folder, whose name is any.
std::string_view inside(std::string_view name) {
  const size_t slash = name.find('/');
  return slash == std::string_view::npos ? name : name.substr(slash + 1);
}

bool has(const ZipDirectory& zip, auto&& test) { return std::any_of(zip.entries().begin(), zip.entries().end(), test); }

bool has_file(const ZipDirectory& zip, std::string_view name) {
  return has(zip, [&](const ZipDirectory::Entry& entry) { return inside(entry.name) == name; });
}

/// "model" of "any/data/aotinductor/model/code.so", or empty.
std::string model_of(std::string_view name) {
  const size_t at = name.find(kCode);
  if (at == std::string_view::npos || (at > 0 && name[at - 1] != '/')) return {};
  name.remove_prefix(at + kCode.size());
  const size_t slash = name.find('/');
  return slash == std::string_view::npos ? std::string() : std::string(name.substr(0, slash));
}

TorchFile look_at_package(const std::string& file, const ZipDirectory& zip, std::vector<std::string> models) {
  std::sort(models.begin(), models.end());
  models.erase(std::unique(models.begin(), models.end()), models.end());
  TorchFile out;
  out.kind = TorchFile::Kind::kPackage;
  const bool has_default = std::find(models.begin(), models.end(), "model") != models.end();
  if (!has_default && models.size() > 1) {
    std::string names;
    for (const std::string& name : models) names += (names.empty() ? "'" : ", '") + name + "'";
    throw Error(MM_INVALID_ARGUMENT, "package '" + file + "' has several models, " + names +
                                         ", and none of the name 'model', which is the one that is served");
  }
  out.model = has_default ? "model" : models.front();
  const ZipDirectory::Entry* source = nullptr;
  for (const ZipDirectory::Entry& entry : zip.entries()) {
    if (model_of(entry.name) != out.model || !entry.name.ends_with(".cpp") || entry.name.ends_with(".kernel.cpp"))
      continue;
    if (source == nullptr || entry.name.ends_with(".wrapper.cpp")) source = &entry;
  }
  if (source != nullptr) out.wrapper = zip.content(*source, kMostWrapper).value_or("");
  return out;
}

[[noreturn]] void refuse_saved(const std::string& file) {
  throw Error(MM_INVALID_ARGUMENT, "file '" + file +
                                       "' was written by torch.save: it has values (a state_dict) or "
                                       "pickled objects of Python, but no program; write the model with " +
                                       kToScript + ", or compile it with " + kToPackage);
}

TorchFile look_at_archive(const std::string& file, const ZipDirectory& zip) {
  std::vector<std::string> models;
  for (const ZipDirectory::Entry& entry : zip.entries())
    if (std::string name = model_of(entry.name); !name.empty()) models.push_back(std::move(name));
  if (!models.empty()) return look_at_package(file, zip, std::move(models));
  if (has_file(zip, "constants.pkl") && has_file(zip, "data.pkl")) return {};
  const auto is_program = [](const ZipDirectory::Entry& entry) {
    const std::string_view name = inside(entry.name);
    return (name.starts_with("models/") && name.ends_with(".json")) ||
           entry.name.ends_with("serialized_exported_program.json");
  };
  if (has(zip, is_program))
    throw Error(MM_INVALID_ARGUMENT, "file '" + file + "' was written by torch.export.save: the program in it is not " +
                                         "compiled; compile it with torch._inductor.aoti_compile_and_package(" +
                                         "torch.export.load(FILE))");
  if (has_file(zip, "data.pkl")) refuse_saved(file);
  throw Error(MM_INVALID_ARGUMENT, "file '" + file +
                                       "' is an archive, but none of PyTorch's: it has neither TorchScript " +
                                       "nor a package of AOTInductor");
}

}  // namespace

TorchFile look_at_file(const std::string& file) {
  if (const auto zip = ZipDirectory::read(file)) return look_at_archive(file, *zip);
  std::ifstream in(file, std::ios::binary);
  std::string begin(4, '\0');
  in.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  begin.resize(static_cast<size_t>(std::max<std::streamsize>(0, in.gcount())));
  if (begin.starts_with("PK\3\4"))
    throw Error(MM_DATA_LOSS, "file '" + file + "' can't be loaded: it is cut, its archive has no end; copy it again");
  if (begin.starts_with("\x80\2")) refuse_saved(file);
  throw Error(MM_INVALID_ARGUMENT, "file '" + file +
                                       "' can't be loaded: it is no file of PyTorch's; write the model with " +
                                       std::string(kToScript) + ", or compile it with " + kToPackage);
}

}  // namespace modelmill::pytorch
