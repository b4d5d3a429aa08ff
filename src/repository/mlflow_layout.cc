#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "model/yaml_check.h"
#include "repository/foreign_layouts.h"
#include "repository/model_files.h"
#include "repository/saved_model.h"

namespace modelmill {
namespace {

constexpr const char* kMlflowFile = "MLmodel";
constexpr uint64_t kMlflowLimit = 16 << 20;

struct Flavour {
  std::string_view name;
  std::string_view backend;
  std::string_view file_key;  // of the flavour, that names its file or folder
};

/// By preference. Flavours that are not here, and files of these that are Python's own, are served by Python.
constexpr Flavour kFlavours[] = {
    {"onnx", "onnxruntime", "data"},      {"tensorflow", "tensorflow", "saved_model_dir"},
    {"xgboost", "xgboost", "data"},       {"lightgbm", "lightgbm", "data"},
    {"pytorch", "pytorch", "model_data"},
};
constexpr const char* kMlflowPython = "python";
constexpr const char* kAnyPython = "python_function";

struct Choice {
  std::string flavour;
  std::string backend{kMlflowPython};
  std::string file;
};

std::string text_of(const YAML::Node& map, const std::string& key) {
  const YAML::Node value = map.IsDefined() && map.IsMap() ? map[key] : YAML::Node();
  return value.IsDefined() && value.IsScalar() ? value.Scalar() : std::string();
}

Choice choose(const YAML::Node& flavours) {
  for (const Flavour& known : kFlavours) {
    const YAML::Node flavour = flavours[std::string(known.name)];
    if (!flavour.IsDefined()) continue;
    Choice choice{std::string(known.name), std::string(known.backend), {}};
    choice.file = text_of(flavour, std::string(known.file_key));
    // An estimator of scikit-learn's kind is a pickle, whatever library it comes from.
    if (needed_backend(choice.file) == kMlflowPython) choice.backend = kMlflowPython;
    return choice;
  }
  Choice choice;
  for (const auto& entry : flavours)
    if (choice.flavour.empty() || choice.flavour == kAnyPython) choice.flavour = entry.first.Scalar();
  return choice;
}

/// A Keras model is a SavedModel in the flavour's data, or a file that only Keras reads.
void find_keras_model(const YAML::Node& flavour, const FoundModel& model, Choice& choice) {
  const std::string data = text_of(flavour, "data");
  const std::string folder = (data.empty() ? "data" : data) + "/model";
  const auto path = path_inside(model.directory, folder);
  std::error_code ignored;
  if (path.ok() && std::filesystem::exists(*path + '/' + kSavedModelFile, ignored))
    choice.file = folder;
  else
    choice.backend = kMlflowPython;
}

/// A file of torch.save() is a script of TorchScript's where it has constants; else it is a pickle.
void find_torch_script(const FoundModel& model, Choice& choice) {
  constexpr std::streamoff kEnd = 64 << 10;  // where an archive lists what it has
  choice.file = (choice.file.empty() ? "data" : choice.file) + "/model.pth";
  const auto path = path_inside(model.directory, choice.file);
  std::ifstream file(path.ok() ? *path : std::string(), std::ios::binary | std::ios::ate);
  const std::streamoff size = file ? static_cast<std::streamoff>(file.tellg()) : 0;
  std::string end(static_cast<size_t>(std::min(size, kEnd)), '\0');
  file.seekg(size - static_cast<std::streamoff>(end.size()));
  file.read(end.data(), static_cast<std::streamsize>(end.size()));
  if (end.find("/constants.pkl") == std::string::npos) choice.backend = kMlflowPython;
}

/// What the Python backend reads of an MLmodel, as parameters: it may have no YAML.
void tell_python(FoundModel& model, const YAML::Node& whole, const Choice& choice, const std::string& file) {
  const YAML::Node flavours = whole["flavors"];
  const YAML::Node any = flavours[kAnyPython], own = flavours[choice.flavour];
  const auto tell = [&](const char* name, std::string value) {
    if (!value.empty() && value != "null") model.layers.push_back(parameter_layer(name, value, file));
  };
  const std::string loader = text_of(any, "loader_module");
  tell("mlflow_loader", loader.empty() ? "mlflow." + choice.flavour : loader);
  std::string data = text_of(any, "model_path");
  for (const auto& [map, key] : {std::pair{any, "data"}, {own, "pickled_model"}, {own, "data"}})
    if (data.empty()) data = text_of(map, key);
  for (const std::string& inside : {data, text_of(any, "code")})
    if (const auto path = path_inside(model.directory, inside.empty() ? "." : inside); !path.ok())
      model.refuse({path.status().code(), yaml_place(file, flavours.Mark()), path.status().message()});
  if (!model.problem.ok()) return;
  tell("mlflow_data", data);
  tell("mlflow_code", text_of(any, "code"));
  tell("mlflow_predict", text_of(any, "predict_fn"));
  tell("mlflow_inputs", text_of(whole["signature"], "inputs"));
  tell("mlflow_outputs", text_of(whole["signature"], "outputs"));
  model.versions.front().file = file;
}

void read_flavour(FoundModel& model, const std::string& file, std::span<const ModelFormat> formats) {
  const auto text = read_file(file, kMlflowLimit);
  if (!text.ok()) return model.refuse({text.status().code(), {}, text.status().message()});
  std::vector<ConfigProblem> problems;
  YAML::Node root;
  if (!read_yaml(*text, file, root, problems)) {
    for (const ConfigProblem& problem : problems) model.refuse(problem);
    return;
  }
  const YAML::Node& whole = root;
  const YAML::Node flavours = whole.IsMap() ? whole["flavors"] : YAML::Node();
  if (!flavours.IsDefined() || !flavours.IsMap() || flavours.size() == 0)
    return model.refuse(
        {Code::kInvalidArgument, file,
         "there are no 'flavors' in it, so nothing tells what the model is; save it with MLflow again"});
  Choice choice = choose(flavours);
  if (choice.backend == "tensorflow" && choice.file.empty()) find_keras_model(flavours["tensorflow"], model, choice);
  if (choice.backend == "pytorch") find_torch_script(model, choice);
  const std::string place = yaml_place(file, flavours.Mark());
  if (!is_installed(choice.backend, formats))
    return model.refuse(missing_backend(model.name, "MLflow flavour " + choice.flavour, choice.backend, place));
  model.layers.push_back(text_layer("backend", choice.backend, place));
  if (choice.backend == kMlflowPython) return tell_python(model, whole, choice, file);
  if (!choice.file.empty()) model.layers.push_back(text_layer("default_model_filename", choice.file, place));
  // MLflow answers with what predict() of the saved class gives.
  if (choice.backend == "xgboost") model.layers.push_back(parameter_layer("output", "predict", place));
}

}  // namespace

std::optional<FoundModel> look_for_mlflow(const FolderListing& folder, std::span<const ModelFormat> formats) {
  if (!folder.has_file(kMlflowFile)) return std::nullopt;
  FoundModel model;
  model.name = folder.name();
  model.directory = folder.path.string();
  model.layout = ModelLayout::kMlflow;
  model.versions.push_back({1, model.directory, {}});
  const std::string file = folder.inside(kMlflowFile);
  model.config_files.push_back(file);
  try {
    read_flavour(model, file, formats);
  } catch (const YAML::Exception& e) {
    model.refuse({Code::kInvalidArgument, yaml_place(file, e.mark), "can't be read: " + e.msg + "; correct the YAML"});
  }
  return model;
}

}  // namespace modelmill
