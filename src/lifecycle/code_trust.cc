#include "lifecycle/code_trust.h"

#include <algorithm>
#include <fstream>
#include <string_view>

#include "lifecycle/lies_in.h"

namespace modelmill {
namespace {

/// Names in a package's archive are never compressed.
constexpr std::string_view kNativeCode = "data/aotinductor/";

bool runs_code(const std::string& backend) { return backend == "python"; }

/// In the folder of the cache that has the copies of what is at URLs.
bool is_copy(const std::string& path, const std::string& cache) {
  return !cache.empty() && lies_in(path, cache + "/trees");
}

/// Reads it piece by piece; the pieces overlap, so that nothing is missed between two of them.
bool file_holds_native_code(const std::string& path) {
  constexpr size_t kPiece = size_t{1} << 20;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  std::string piece(kPiece, '\0');
  while (file) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    text.append(piece, 0, static_cast<size_t>(file.gcount()));
    if (holds_native_code(text)) return true;
    text.erase(0, text.size() - std::min(text.size(), kNativeCode.size()));
  }
  return false;
}

}  // namespace

bool holds_native_code(std::string_view content) { return content.find(kNativeCode) != std::string_view::npos; }

Status check_native_code(const FoundModel& model, const std::string& file) {
  if (!model.untrusted || file.empty()) return ok_status();
  if (!file.ends_with(".pt2") && !file_holds_native_code(file)) return ok_status();
  return {Code::kPermissionDenied,
          "model '" + model.name + "': '" + file +
              "' is native code, which is not taken from where a client says; name its folder on the command line"};
}

Status check_native_parameters(const FoundModel& model, const ModelDefinition& definition) {
  constexpr const char kLibrary[] = "CPU_EXTENSION_PATH";
  const auto it = definition.parameters.find(kLibrary);
  if (!model.untrusted || it == definition.parameters.end()) return ok_status();
  return {Code::kPermissionDenied,
          "model '" + model.name + "': parameter '" + kLibrary + "' names '" + it->second +
              "', native code, which is not taken from where a client says; name the model's " +
              "folder on the command line"};
}

Status check_code_trust(const FoundModel& model, const FoundVersion& version, const std::string& backend,
                        const LoadSettings& settings) {
  if (!runs_code(backend)) return ok_status();
  const std::string what = "model '" + model.name + "' is code that the server would run, ";
  if (model.untrusted && !settings.allow_sent_code)
    return {Code::kPermissionDenied,
            what + "and a client sent it, or named its folder; --allow-model-code sent allows that"};
  const auto copied = [&](const std::string& path) { return is_copy(path, settings.cache_directory); };
  const bool from_url = copied(version.directory) || copied(version.file) ||
                        std::any_of(model.archives.begin(), model.archives.end(), copied);
  if (from_url && !settings.allow_url_code)
    return {Code::kPermissionDenied, what + "and it comes from a URL; --allow-model-code url allows that"};
  return ok_status();
}

}  // namespace modelmill
