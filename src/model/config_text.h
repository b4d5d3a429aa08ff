#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/config_problem.h"
#include "model_config.pb.h"

namespace modelmill {

/// A parsed `config.pbtxt` that still knows where each field was written.
class ConfigText {
 public:
  /// INVALID_ARGUMENT "file:line:column: ..." with a suggestion where a name is close to a known one.
  static Result<ConfigText> parse(std::string_view text, const std::string& file);
  /// The same, with everything that is wrong added to `problems`; nullopt when something is.
  static std::optional<ConfigText> parse(std::string_view text, const std::string& file,
                                         std::vector<ConfigProblem>& problems);
  /// The same of what is known, passing over the names of fields that aren't; nullopt when more than those is wrong.
  static std::optional<ConfigText> parse_known(std::string_view text, const std::string& file);
  ConfigText(ConfigText&&) noexcept;
  ConfigText& operator=(ConfigText&&) noexcept;
  ~ConfigText();

  const inference::ModelConfig& config() const { return config_; }
  /// The field is written in the text, with whatever value.
  bool has(const std::string& field) const;
  /// "file:line:column" of a path such as "input[1].dims", or of the longest part of it that is in the text; the file
  /// alone when there is none.
  std::string place_of(const std::string& path) const;

 private:
  struct Places;
  ConfigText();

  std::string file_;
  inference::ModelConfig config_;
  std::unique_ptr<Places> places_;
};

}  // namespace modelmill
