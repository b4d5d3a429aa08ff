#pragma once

#include <array>
#include <string_view>

namespace modelmill::fuzz {

/// What each target does with one input. They check what must hold with MM_CHECK, and leave nothing behind: an input's
/// outcome depends on the input alone. One thread at a time.
void http1(std::string_view input);
void http2(std::string_view input);
void grpc_framing(std::string_view input);
void infer_scanner(std::string_view input);
void v2_json(std::string_view input);
void v2_binary(std::string_view input);
void predict(std::string_view input);
void config_text(std::string_view input);
void saved_model(std::string_view input);
void tf_warmup(std::string_view input);
void archive(std::string_view input);
void tf_predict(std::string_view input);
void tf_rest(std::string_view input);
void torch_file(std::string_view input);
void python_frames(std::string_view input);
void torchserve_form(std::string_view input);
void openai(std::string_view input);
void invocations(std::string_view input);
void gjson(std::string_view input);

struct Target {
  std::string_view name;  // also of its folder in fuzz/corpus
  void (*run)(std::string_view input);
};

inline constexpr std::array<Target, 19> kTargets = {{
    {"http1", http1},
    {"http2", http2},
    {"grpc_framing", grpc_framing},
    {"infer_scanner", infer_scanner},
    {"v2_json", v2_json},
    {"v2_binary", v2_binary},
    {"predict", predict},
    {"config_text", config_text},
    {"saved_model", saved_model},
    {"tf_warmup", tf_warmup},
    {"archive", archive},
    {"tf_predict", tf_predict},
    {"tf_rest", tf_rest},
    {"torch_file", torch_file},
    {"python_frames", python_frames},
    {"torchserve_form", torchserve_form},
    {"openai", openai},
    {"invocations", invocations},
    {"gjson", gjson},
}};

}  // namespace modelmill::fuzz
