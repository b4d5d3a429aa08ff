// A backend of one's own: turns each row of its input around. README.md says how it is built and used.

#include <algorithm>
#include <modelmill/backend.hpp>

using namespace modelmill::backend;

class Reverse : public Model {
 public:
  // A bad configuration is an exception with a message for its author.
  explicit Reverse(const ModelArgs& args) : sign_(args.config.parameter_bool("negate", false) ? -1.0f : 1.0f) {}

  ModelInfo info() override {
    ModelInfo info;
    info.inputs = {{.name = "x", .dtype = MM_FP32, .shape = {-1, -1}, .symbols = {"batch", "n"}}};
    info.outputs = {{.name = "y", .dtype = MM_FP32, .shape = {-1, -1}, .symbols = {"batch", "n"}}};
    // It never waits, and no row depends on another: the server may batch at will.
    info.capabilities = MM_CAP_INLINE_SAFE | MM_CAP_CONCURRENT_EXECUTE | MM_CAP_ROWS_INDEPENDENT;
    return info;
  }

  // All requests of a batch at once; one that is not answered when this returns fails by itself.
  void execute(Execution& execution) override {
    for (Request& request : execution) {
      Buffer scratch;
      const mm_tensor x = request.input("x");
      const auto rows = static_cast<size_t>(x.shape[0]), n = static_cast<size_t>(x.shape[1]);
      Response response = request.respond();
      auto* y = static_cast<float*>(response.allocate("y", MM_FP32, {x.shape, x.rank}));
      const auto* in = static_cast<const float*>(contiguous(x, scratch));
      for (size_t row = 0; row < rows; ++row)
        for (size_t i = 0; i < n; ++i) y[row * n + i] = sign_ * in[row * n + n - 1 - i];
      response.send();
    }
  }

 private:
  const float sign_;
};

struct ReverseBackend : BackendOf<Reverse> {
  static constexpr const char* kName = "reverse";
  static constexpr const char* kVersion = "1.0";
};

MODELMILL_BACKEND(ReverseBackend)
