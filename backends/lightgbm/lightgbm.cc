// The LightGBM backend: serves what LightGBM saved with the library of its own package, found at run time (api.h).

#include "booster.h"
#include "support/tree_model.h"
#include "support/vendor_library.h"

namespace {

using namespace modelmill::backend;
using modelmill::lightgbm::LightgbmBooster;

constexpr const char* kRemedy =
    "pip install lightgbm, or set MODELMILL_LIGHTGBM to the path of a lib_lightgbm.so";

class LightgbmBackend final : public Backend {
 public:
  static constexpr const char* kName = "lightgbm";
  static constexpr const char* kVersion = "1.0";
  static constexpr const char* kDefaultFile = "model.lgb";
  static constexpr const char* kFileExtensions = ".lgb,.lgbm";

  void initialize(const Json& settings, const std::string& library_dir) override {
    library_ = std::make_unique<VendorLibrary>(
        LibrarySearch{"MODELMILL_LIGHTGBM", {"lightgbm/lib/lib_lightgbm.so"}, "lib_lightgbm.so*", {"lib_lightgbm.so"}},
        "LightGBM (lib_lightgbm.so)", settings["library"].text(), library_dir, modelmill::lightgbm::bind_api);
  }

  RuntimeInfo runtime_info() override {
    RuntimeInfo out;
    out.runtime = "LightGBM";
    out.path = library_->open(&out.problem);
    out.available = !out.path.empty();
    out.gpu_count = 0;
    if (out.available) {
      out.version = modelmill::lightgbm::version_of_package(out.path);
      out.devices = "CPU";
    } else {
      out.remedy = kRemedy;
    }
    return out;
  }

  std::unique_ptr<Model> load(const ModelArgs& args) override {
    std::string problem;
    if (library_->open(&problem).empty()) throw Error(MM_FAILED_PRECONDITION, problem + "; " + kRemedy);
    try {
      TreeOptions options = TreeOptions::read(args.config, args.instance_threads);
      auto booster = std::make_unique<LightgbmBooster>(args.file, options);
      return std::make_unique<TreeModel>(args, std::move(booster), std::move(options), "");
    } catch (const Error& e) {
      throw Error(e.code(), "model '" + args.name + "' version " + std::to_string(args.version) + ": " + e.what());
    }
  }

 private:
  std::unique_ptr<VendorLibrary> library_;
};

}  // namespace

MODELMILL_BACKEND(LightgbmBackend)
