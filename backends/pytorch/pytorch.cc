// The PyTorch backend: serves TorchScript and what AOTInductor compiled with the vendor's own libraries, found at run
// time (library.h) and called through the bridge that was compiled for their release (bridge.h), configured by the
// model's parameters (options.h).

#include "library.h"
#include "model.h"

namespace {

using namespace modelmill::backend;
using modelmill::pytorch::Library;
using modelmill::pytorch::TorchModel;

class PyTorchBackend final : public Backend {
 public:
  static constexpr const char* kName = "pytorch";
  static constexpr const char* kVersion = "1.0";
  static constexpr const char* kDefaultFile = "model.pt";
  static constexpr const char* kFileExtensions = ".pt,.pt2,.pth,.torchscript";

  void initialize(const Json& settings, const std::string& library_dir) override {
    library_ = std::make_unique<Library>(settings["library"].text(), library_dir);
  }

  RuntimeInfo runtime_info() override {
    RuntimeInfo out;
    out.runtime = "PyTorch";
    out.gpu_count = 0;
    const Library::Opened* opened = library_->open(&out.problem);
    out.available = opened != nullptr;
    if (opened == nullptr) {
      out.remedy = library_->remedy();
      return out;
    }
    out.version = opened->version;
    out.path = opened->path;
    out.devices = "CPU";
    return out;
  }

  std::unique_ptr<Model> load(const ModelArgs& args) override {
    std::string problem;
    const Library::Opened* opened = library_->open(&problem);
    if (opened == nullptr) throw Error(MM_FAILED_PRECONDITION, problem + "; " + library_->remedy());
    return std::make_unique<TorchModel>(args, *opened->bridge);
  }

 private:
  std::unique_ptr<Library> library_;
};

}  // namespace

MODELMILL_BACKEND(PyTorchBackend)
