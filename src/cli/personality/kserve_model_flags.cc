#include <filesystem>

#include "cli/personality/kserve_values.h"

namespace modelmill::personality {
namespace {

using Draft = KserveDraft;

constexpr std::string_view kTokenizer = "the tokenizer is as the folder's own files have it";
constexpr std::string_view kAnswers = "answers are [labels and their probabilities](no-code-models.md#hugging-face)";
constexpr std::string_view kInputs = "a model gets what its tokenizer makes";
constexpr std::string_view kNoContents = "requests' contents are not in the log in any case";
constexpr std::string_view kLength = "the model's parameter `max_length`";
constexpr std::string_view kNoHub = "nothing is downloaded from a hub: the folder is the revision";

void set_parameter(Draft& draft, const std::string& name, const std::string& value) {
  draft.launch.config.model_parameters[name] = value;
}

/// Transformers take a folder for an id.
Status take_model_id(Draft& draft, const std::string& text) {
  std::error_code error;
  if (!std::filesystem::is_directory(text, error))
    return invalid_argument("'" + text +
                            "' is no folder, and nothing is downloaded from a hub; put the model into one and name it "
                            "in --model_dir");
  draft.model_dir = text;
  return ok_status();
}

Status take_task(Draft& draft, const std::string& text) {
  // KServe's word, and ours.
  constexpr std::pair<std::string_view, std::string_view> kTasks[] = {
      {"sequence_classification", "text-classification"},
      {"text_embedding", "embeddings"},
      {"text_generation", "text-generation"},
      {"text2text_generation", "text-generation"}};
  for (const auto& [theirs, ours] : kTasks)
    if (text == theirs) {
      set_parameter(draft, "task", std::string(ours));
      return ok_status();
    }
  return invalid_argument("'" + text +
                          "' is no task of models here; it is sequence_classification, text_embedding, "
                          "text_generation or text2text_generation");
}

Status take_max_length(Draft& draft, const std::string& text) {
  MM_ASSIGN_OR_RETURN(const int64_t number, read_python_integer(text));
  if (number < 1) return invalid_argument("must be a number of tokens above 0, not " + text);
  set_parameter(draft, "max_length", std::to_string(number));
  return ok_status();
}

Status take_dtype(Draft& draft, const std::string& text) {
  if (text == "auto") return ok_status();
  for (const std::string_view known : {"float16", "float32", "bfloat16"})
    if (text == known) {
      set_parameter(draft, "dtype", text);
      return ok_status();
    }
  if (text == "float" || text == "half") {
    set_parameter(draft, "dtype", text == "float" ? "float32" : "float16");
    return ok_status();
  }
  return invalid_argument("invalid choice: '" + text +
                          "' (choose from 'auto', 'float16', 'float32', 'bfloat16', 'float', 'half')");
}

Status take_remote_code(Draft& draft, const std::string& /*text*/) {
  set_parameter(draft, "trust_remote_code", "true");
  return ok_status();
}

Status look_at_framework(Draft& /*draft*/, const std::string& text) {
  if (text == "sklearn" || text == "xgboost" || text == "lightgbm") return ok_status();
  return invalid_argument("invalid choice: '" + text + "' (choose from 'sklearn', 'xgboost', 'lightgbm')");
}

Status look_at_backend(Draft& /*draft*/, const std::string& text) {
  if (text == "auto" || text == "huggingface") return ok_status();
  if (text == "vllm") return invalid_argument("vLLM is not run here; models are run by transformers, with 'auto'");
  return invalid_argument("invalid value: '" + text + "'; it is 'auto' or 'huggingface'");
}

}  // namespace

std::vector<KserveFlag> kserve_model_flags() {
  using enum FlagValue;
  using enum Taken;
  return {
      {{"nthread", kInteger, kMapped, "`--instance-threads`", "1"}, take_python_integer<&Draft::threads, 1>},
      {{"framework", kText, kIgnored, "the model's file tells", "sklearn"}, look_at_framework},
      {{"model_id", kText, kMapped, "`--model_dir`, where it is a folder; an id of a hub is refused", "/mnt/models"},
       take_model_id},
      {{"model_revision", kText, kIgnored, kNoHub, "main"}, check_text<Draft>},
      {{"tokenizer_revision", kText, kIgnored, kNoHub, "main"}, check_text<Draft>},
      {{"task", kText, kMapped, "the model's parameter `task`, in modelmill's words; other tasks are refused",
        "sequence_classification"},
       take_task},
      {{"max_length", kInteger, kMapped, kLength, "512"}, take_max_length},
      {{"max_model_len", kInteger, kMapped, kLength, "512"}, take_max_length},
      {{"dtype", kText, kMapped, "the model's parameter `dtype`; `auto` is what the folder says", "auto"}, take_dtype},
      {{"trust_remote_code", kNone, kMapped, "the model's parameter `trust_remote_code`", ""}, take_remote_code},
      {{"backend", kText, kIgnored, "transformers run them; `vllm` is refused", "huggingface"}, look_at_backend},
      {{"disable_lower_case", kNone, kIgnored, kTokenizer, ""}, check_text<Draft>},
      {{"disable_special_tokens", kNone, kIgnored, kTokenizer, ""}, check_text<Draft>},
      {{"tensor_input_names", kText, kIgnored, kInputs, "input_ids"}, check_text<Draft>},
      {{"return_token_type_ids", kNone, kIgnored, kInputs, ""}, check_text<Draft>},
      {{"return_offsets_mapping", kNone, kIgnored, kAnswers, ""}, check_text<Draft>},
      {{"return_probabilities", kNone, kIgnored, kAnswers, ""}, check_text<Draft>},
      {{"return_raw_logits", kNone, kIgnored, kAnswers, ""}, check_text<Draft>},
      {{"disable_log_requests", kNone, kIgnored, kNoContents, ""}, check_text<Draft>},
      {{"max_log_len", kInteger, kIgnored, kNoContents, "100"}, look_at_python_integer},
  };
}

}  // namespace modelmill::personality
