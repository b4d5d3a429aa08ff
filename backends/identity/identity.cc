// The identity backend: output i is input i. Its signature is what the model's configuration says. For tests, and
// for measuring what a server costs by itself.
//
// Parameters: execute_delay_ms, a time that every execution takes.
//
// A model whose configuration says `model_transaction_policy { decoupled: true }` answers a request as many times as
// its parameter `responses` says (once without it), each time with the same and with `index`, the answer's number.

#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>
#include <variant>

#include "modelmill/backend.hpp"

namespace {

using namespace modelmill::backend;

class IdentityModel final : public Model {
 public:
  explicit IdentityModel(const ModelArgs& args) : label_("model '" + args.name + "' (identity)") {
    info_.inputs = args.config.inputs();
    info_.outputs = args.config.outputs();
    check_config();
    const int64_t delay = args.config.parameter_int("execute_delay_ms", 0);
    if (delay < 0 || delay > 3'600'000)
      throw Error(MM_INVALID_ARGUMENT, label_ + ": parameter 'execute_delay_ms' is " + std::to_string(delay) +
                                           "; it must be from 0 to 3600000");
    delay_ = std::chrono::milliseconds(delay);
    if (args.config.max_batch_size() > 0) info_.capabilities |= MM_CAP_ROWS_INDEPENDENT;
    decoupled_ = args.config.json()["model_transaction_policy"]["decoupled"].boolean(false);
    if (decoupled_)
      info_.capabilities |= MM_CAP_DECOUPLED;
    else if (delay == 0)
      info_.capabilities |= MM_CAP_INLINE_SAFE | MM_CAP_CONCURRENT_EXECUTE;
    info_.recommended_instances = 1;
  }

  ModelInfo info() override { return info_; }

  void execute(Execution& execution) override {
    execution.mark_input_end();
    if (delay_.count() > 0) std::this_thread::sleep_for(delay_);
    execution.mark_infer_end();
    for (Request& request : execution) {
      try {
        if (decoupled_)
          answer_often(request);
        else
          fill(request.respond(), request).send();
      } catch (...) {
        request.fail(current_error());
      }
    }
  }

 private:
  void check_config() const {
    if (info_.inputs.empty() || info_.inputs.size() != info_.outputs.size())
      throw Error(MM_INVALID_ARGUMENT,
                  label_ + " needs as many outputs as inputs in its configuration, and at least one; it has " +
                      std::to_string(info_.inputs.size()) + " inputs and " + std::to_string(info_.outputs.size()) +
                      " outputs");
    for (size_t i = 0; i < info_.inputs.size(); ++i) {
      const TensorSpec& in = info_.inputs[i];
      const TensorSpec& out = info_.outputs[i];
      if (in.dtype == MM_DTYPE_INVALID)
        throw Error(MM_INVALID_ARGUMENT, label_ + ": input '" + in.name + "' has no data_type in its configuration");
      if (in.dtype != out.dtype)
        throw Error(MM_INVALID_ARGUMENT, label_ + ": output '" + out.name + "' is " + dtype_name(out.dtype) +
                                             ", but input '" + in.name + "' that it repeats is " +
                                             dtype_name(in.dtype));
    }
  }

  Response fill(Response response, const Request& request) const {
    const uint32_t count = request.info().input_count;
    for (uint32_t i = 0; i < count; ++i) {
      const mm_tensor input = request.input(i);
      const TensorSpec* output = output_of(input.name, i);
      if (output != nullptr) response.forward(output->name.c_str(), i, {input.shape, input.rank});
    }
    return response;
  }

  /// As many answers as the request asks for, or as its client waits for.
  void answer_often(Request& request) const {
    const int64_t count = responses_of(request);
    for (int64_t i = 0; i < count && !request.cancelled(); ++i) {
      Response response = fill(request.respond(), request);
      response.parameter("index", std::to_string(i));
      response.send_partial();
    }
    request.finish();
  }

  static int64_t responses_of(const Request& request) {
    const std::optional<ParameterValue> value = request.parameter("responses");
    if (!value) return 1;
    int64_t count = -1;
    if (const auto* number = std::get_if<int64_t>(&*value)) count = *number;
    if (const auto* number = std::get_if<uint64_t>(&*value); number != nullptr && *number <= INT64_MAX)
      count = static_cast<int64_t>(*number);
    if (count < 0)
      throw Error(MM_INVALID_ARGUMENT, "parameter 'responses' must be a whole number that is not negative");
    return count;
  }

  /// Optional inputs may be left out, so position i need not be input i.
  const TensorSpec* output_of(std::string_view input, size_t hint) const {
    if (hint < info_.inputs.size() && info_.inputs[hint].name == input) return &info_.outputs[hint];
    for (size_t i = 0; i < info_.inputs.size(); ++i)
      if (info_.inputs[i].name == input) return &info_.outputs[i];
    return nullptr;
  }

  const std::string label_;
  ModelInfo info_;
  std::chrono::milliseconds delay_{0};
  bool decoupled_ = false;
};

struct IdentityBackend final : BackendOf<IdentityModel> {
  static constexpr const char* kName = "identity";
  static constexpr const char* kVersion = "1.0";
};

}  // namespace

MODELMILL_BACKEND(IdentityBackend)
