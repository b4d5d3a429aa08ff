// The backend of models whose code is Python: each instance is a process of its own, which runs the package
// modelmill.worker and has the tensors in shared memory.

#include <cstdlib>

#include "model.h"

namespace {

using namespace modelmill::backend;
using modelmill::python::PythonModel;
using modelmill::python::PythonSettings;

std::string cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/')
    return std::string(cache) + "/modelmill/venvs";
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr && *home == '/' ? home : "/tmp") + "/.cache/modelmill/venvs";
}

class PythonBackend final : public Backend {
 public:
  static constexpr const char* kName = "python";
  static constexpr const char* kVersion = "1.0";
  static constexpr const char* kDefaultFile = "model.py";
  static constexpr const char* kFileExtensions = ".joblib,.pkl,.pickle,.keras,.cbm";

  void initialize(const Json& settings, const std::string& library_dir) override {
    if (!MM_HAS(modelmill::backend::host, model_ready))
      throw Error(MM_UNIMPLEMENTED, "the python backend needs a server of ABI 1.3 or later; take both of one release");
    settings_ = {settings["python"].text(), settings["package"].text(), settings["wheels"].text(),
                 settings["cache"].text(cache_folder()), library_dir};
  }

  RuntimeInfo runtime_info() override {
    RuntimeInfo out;
    out.runtime = "Python";
    out.devices = "CPU";
    try {
      const auto found = modelmill::python::find_interpreter(settings_.python, settings_.plugin_dir);
      out.path = found.path;
      out.version = found.version;
      out.available = !found.numpy.empty();
      if (!out.available) {
        out.problem = "'" + found.path + "' has no numpy";
        out.remedy = found.path + " -m pip install numpy";
      }
    } catch (const Error& e) {
      out.available = false;
      out.problem = e.what();
      out.remedy = modelmill::python::kPythonRemedy;
    }
    return out;
  }

  std::unique_ptr<Model> load(const ModelArgs& args) override {
    try {
      return std::make_unique<PythonModel>(args, settings_);
    } catch (const Error& e) {
      throw Error(e.code(), "model '" + args.name + "' version " + std::to_string(args.version) + ": " + e.what());
    }
  }

 private:
  PythonSettings settings_;
};

}  // namespace

MODELMILL_BACKEND(PythonBackend)
