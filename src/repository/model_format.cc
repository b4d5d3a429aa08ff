#include "repository/model_format.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "repository/model_content.h"
#include "repository/saved_model.h"

namespace modelmill {
namespace {

/// The ending of a SavedModel's folder; where that is a version's it has another name, and the file in it tells.
constexpr const char* kSavedModel = ".savedmodel";

struct Ending {
  std::string_view ending;
  std::string_view backend;
};

/// Endings that mean one thing only. What a folder of models may hold beside them (.json, .txt, .py) is none.
constexpr Ending kEndings[] = {
    {kSavedModelFile, "tensorflow"},
    {"model.savedmodel", "tensorflow"},
    {"model.graphdef", "tensorflow"},
    {"model.py", "python"},
    {".onnx", "onnxruntime"},
    {".pt", "pytorch"},
    {".pth", "pytorch"},
    {".pt2", "pytorch"},
    {".plan", "tensorrt"},
    {".engine", "tensorrt"},
    {".tflite", "openvino"},
    {".keras", "python"},
    {".joblib", "python"},
    {".pkl", "python"},
    {".pickle", "python"},
    {".ubj", "xgboost"},
    {".bst", "xgboost"},
    {".xgb", "xgboost"},
    {".lgb", "lightgbm"},
    {".lgbm", "lightgbm"},
    {".cbm", "python"},
};

}  // namespace

bool has_extension(const ModelFormat& format, const std::string& filename) {
  const std::filesystem::path path(filename);
  const std::string extension = path.filename() == kSavedModelFile ? kSavedModel : path.extension().string();
  return std::find(format.extensions.begin(), format.extensions.end(), extension) != format.extensions.end();
}

std::string backend_of_file(const std::string& path, std::span<const ModelFormat> formats) {
  if (const std::string backend = backend_of_content(path); !backend.empty())
    return is_installed(backend, formats) ? backend : std::string();
  if (is_foreign(path)) return {};
  const std::string filename = std::filesystem::path(path).filename().string();
  for (const ModelFormat& format : formats)
    if (!format.default_file.empty() && format.default_file == filename) return format.backend;
  // Where several take the ending, the one that it stands for comes first.
  const std::string own = needed_backend(filename);
  std::string found;
  for (const ModelFormat& format : formats)
    if (has_extension(format, filename) && (found.empty() || format.backend == own)) found = format.backend;
  return found;
}

bool is_model_of(const ModelFormat& format, const std::string& path) {
  const std::string backend = backend_of_content(path);
  return backend.empty() ? has_extension(format, path) && !is_foreign(path) : backend == format.backend;
}

std::string needed_backend(const std::string& path) {
  if (std::string backend = backend_of_content(path); !backend.empty()) return backend;
  const std::string filename = std::filesystem::path(path).filename().string();
  for (const auto& [ending, backend] : kEndings)
    if (ending.starts_with('.') ? filename.ends_with(ending) : filename == ending) return std::string(backend);
  return {};
}

bool is_installed(const std::string& backend, std::span<const ModelFormat> formats) {
  return std::any_of(formats.begin(), formats.end(), [&](const ModelFormat& f) { return f.backend == backend; });
}

std::string not_installed_text(const std::string& backend) {
  const std::string other = backend == "onnxruntime" ? "" : "export the model to ONNX, or ";
  return "backend '" + backend + "', which is not installed; " + other + "put its plugin modelmill_" + backend +
         ".so into a folder of --backend-directory";
}

std::string unserved_text(const std::string& backend, std::span<const ModelFormat> formats) {
  for (const ModelFormat& format : formats) {
    if (format.backend != backend) continue;
    std::string served = format.default_file;
    for (const std::string& extension : format.extensions) served += (served.empty() ? "*" : ", *") + extension;
    return "backend '" + backend + "', but the one that is installed serves " +
           (served.empty() ? "no files; name another backend" : "only " + served + "; export the model as such a file");
  }
  return not_installed_text(backend);
}

std::string no_model_text(const std::string& path, std::span<const ModelFormat> formats) {
  if (std::filesystem::path(path).extension() == ".py")
    return "'" + path +
           "' marks no function or class with @modelmill.model and has no class TritonPythonModel, so there is nothing "
           "to serve";
  return "'" + path + "' is not a model file that can be served; known endings are: " + extensions_text(formats);
}

std::string extensions_text(std::span<const ModelFormat> formats) {
  std::string out;
  for (const ModelFormat& format : formats)
    for (const std::string& extension : format.extensions) out += (out.empty() ? "" : ", ") + extension;
  return out.empty() ? "none, because no backend that takes files is installed" : out;
}

}  // namespace modelmill
