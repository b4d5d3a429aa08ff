#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "model/yaml_check.h"
#include "repository/foreign_layouts.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

constexpr const char* kFile = "MLmodel";
constexpr uint64_t kLimit = 16 << 20;

struct Flavour {
  std::string_view name;
  std::string_view backend;
  std::string_view file_key;  // of the flavour, that names its file or folder
};

/// By preference. Flavours that are not here are Python's.
constexpr Flavour kFlavours[] = {
    {"onnx", "onnxruntime", "data"},
    {"tensorflow", "tensorflow", "saved_model_dir"},
    {"xgboost", "xgboost", "data"},
    {"lightgbm", "lightgbm", "data"},
};
constexpr std::string_view kAnyPython = "python_function";

struct Choice {
  std::string flavour;
  std::string backend{kForeignCode};
  std::string file;
};

Choice choose(const YAML::Node& flavours) {
  for (const Flavour& known : kFlavours) {
    const YAML::Node flavour = flavours[std::string(known.name)];
    if (!flavour.IsDefined()) continue;
    Choice choice{std::string(known.name), std::string(known.backend), {}};
    if (flavour.IsMap())
      if (const YAML::Node file = flavour[std::string(known.file_key)]; file.IsDefined() && file.IsScalar())
        choice.file = file.Scalar();
    // An estimator of scikit-learn's kind is a pickle, whatever library it comes from.
    if (needed_backend(choice.file) == kForeignCode) choice.backend = kForeignCode;
    return choice;
  }
  Choice choice;
  for (const auto& entry : flavours)
    if (choice.flavour.empty() || choice.flavour == kAnyPython) choice.flavour = entry.first.Scalar();
  return choice;
}

/// A Keras model is a SavedModel in the flavour's data, or a file that only Keras reads.
void find_keras_model(const YAML::Node& flavour, const FoundModel& model, Choice& choice) {
  const YAML::Node data = flavour.IsMap() ? flavour["data"] : YAML::Node();
  const std::string folder = (data.IsDefined() && data.IsScalar() ? data.Scalar() : "data") + "/model";
  const auto path = path_inside(model.directory, folder);
  std::error_code ignored;
  if (path.ok() && std::filesystem::exists(*path + "/saved_model.pb", ignored))
    choice.file = folder;
  else
    choice.backend = kForeignCode;
}

void read_flavour(FoundModel& model, const std::string& file, std::span<const ModelFormat> formats) {
  const auto text = read_file(file, kLimit);
  if (!text.ok()) return model.refuse({text.status().code(), {}, text.status().message()});
  std::vector<ConfigProblem> problems;
  YAML::Node root;
  if (!read_yaml(*text, file, root, problems)) return model.refuse(problems.front());
  const YAML::Node& whole = root;
  const YAML::Node flavours = whole.IsMap() ? whole["flavors"] : YAML::Node();
  if (!flavours.IsDefined() || !flavours.IsMap() || flavours.size() == 0)
    return model.refuse(
        {Code::kInvalidArgument, file, "there are no 'flavors' in it, so nothing tells what the model is"});
  Choice choice = choose(flavours);
  if (choice.backend == "tensorflow" && choice.file.empty()) find_keras_model(flavours["tensorflow"], model, choice);
  const std::string place = yaml_place(file, flavours.Mark());
  if (choice.backend == kForeignCode || !is_installed(choice.backend, formats))
    return model.refuse(
        missing_backend(model.name, "MLflow flavour " + choice.flavour, choice.backend, place, formats));
  model.layers.push_back(text_layer("backend", choice.backend, place));
  if (!choice.file.empty()) model.layers.push_back(text_layer("default_model_filename", choice.file, place));
  // MLflow answers with what predict() of the saved class gives.
  if (choice.backend == "xgboost") model.layers.push_back(parameter_layer("output", "predict", place));
}

}  // namespace

std::optional<FoundModel> look_for_mlflow(const FolderListing& folder, std::span<const ModelFormat> formats) {
  if (!folder.has_file(kFile)) return std::nullopt;
  FoundModel model;
  model.name = folder.name();
  model.directory = folder.path.string();
  model.layout = ModelLayout::kMlflow;
  model.versions.push_back({1, model.directory, {}});
  const std::string file = folder.inside(kFile);
  model.config_files.push_back(file);
  try {
    read_flavour(model, file, formats);
  } catch (const YAML::Exception& e) {
    model.refuse({Code::kInvalidArgument, yaml_place(file, e.mark), "can't be read: " + e.msg});
  }
  return model;
}

}  // namespace modelmill
