// Packages of AOTInductor: native code that torch unpacks and opens.
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include "script.h"
#include "values.h"

namespace modelmill::pytorch {
namespace {

class Package final : public BridgeModel {
 public:
  Package(const std::string& file, const std::string& model, int runners)
      : loader_(file, model, /*run_single_threaded=*/false, static_cast<size_t>(runners)) {
    const std::vector<std::string> specs = loader_.get_call_spec();
    if (specs.size() == 2) {
      description_.takes = specs[0];
      description_.returns = specs[1];
    }
  }

  const Description& description() const override { return description_; }

  std::unique_ptr<Outputs> run(std::span<const InputValue> inputs, const RunOptions& options) override {
    return translated("", [&] {
      use_threads(options.threads);
      const c10::InferenceMode inference(options.inference_mode);
      const at::NoGradGuard no_gradients;
      std::vector<at::Tensor> tensors;
      for (const InputValue& input : inputs) tensors.push_back(borrow_tensor(input));
      auto out = std::make_unique<TorchOutputs>(/*lend=*/true);
      for (const at::Tensor& tensor : loader_.run(tensors)) out->add("", tensor);
      return out;
    });
  }

 private:
  torch::inductor::AOTIModelPackageLoader loader_;
  Description description_;
};

}  // namespace

std::unique_ptr<BridgeModel> load_package(const std::string& file, const std::string& model, int runners) {
  return translated("file '" + file + "' can't be loaded",
                    [&] { return std::make_unique<Package>(file, model, runners); });
}

}  // namespace modelmill::pytorch
