#pragma once

#include <memory>
#include <string>
#include <utility>

#include "support/tree_model.h"
#include "support/vendor_library.h"

namespace modelmill::backend {

/// A backend of trees. `Vendor` names it and has: kName, kVersion, kDefaultFile, kFileExtensions, kRuntime, kRemedy;
/// search(), where its library may lie; bind(handle, path) as VendorLibrary::Bind; version(path), of the opened
/// library; and Booster, which is made from a file and TreeOptions.
template <typename Vendor>
class TreeBackend : public Backend {
 public:
  static constexpr const char* kName = Vendor::kName;
  static constexpr const char* kVersion = Vendor::kVersion;
  static constexpr const char* kDefaultFile = Vendor::kDefaultFile;
  static constexpr const char* kFileExtensions = Vendor::kFileExtensions;

  void initialize(const Json& settings, const std::string& library_dir) override {
    library_ = std::make_unique<VendorLibrary>(Vendor::search(), Vendor::kRuntime, settings["library"].text(),
                                               library_dir, &Vendor::bind);
  }

  RuntimeInfo runtime_info() override {
    RuntimeInfo out;
    out.runtime = Vendor::kRuntime;
    out.gpu_count = 0;
    out.path = library_->open(&out.problem);
    out.available = !out.path.empty();
    if (out.available) {
      out.version = Vendor::version(out.path);
      out.devices = "CPU";
    } else {
      out.remedy = Vendor::kRemedy;
    }
    return out;
  }

  std::unique_ptr<Model> load(const ModelArgs& args) override {
    std::string problem;
    if (library_->open(&problem).empty()) throw Error(MM_FAILED_PRECONDITION, problem + "; " + Vendor::kRemedy);
    try {
      TreeOptions options = TreeOptions::read(args.config, args.instance_threads);
      auto booster = std::make_unique<typename Vendor::Booster>(args.file, options);
      return std::make_unique<TreeModel>(args, std::move(booster), std::move(options));
    } catch (const Error& e) {
      throw Error(e.code(), "model '" + args.name + "' version " + std::to_string(args.version) + ": " + e.what());
    }
  }

 private:
  std::unique_ptr<VendorLibrary> library_;
};

}  // namespace modelmill::backend
