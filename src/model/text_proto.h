#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <string>
#include <string_view>
#include <vector>

#include "model/config_problem.h"

namespace modelmill {

/// Reads the text form of a message into `into`, and with it where each field was written. Empty when all is well; else
/// what is wrong, in the text's order as far as it can be seen, with a suggestion where a name is close to a known one.
std::vector<ConfigProblem> parse_text_proto(std::string_view text, const std::string& file,
                                            google::protobuf::Message& into,
                                            google::protobuf::TextFormat::ParseInfoTree* places);

/// The same of the fields that are known, passing over those that aren't. False when more than those is wrong.
bool parse_known_text_proto(std::string_view text, google::protobuf::Message& into,
                            google::protobuf::TextFormat::ParseInfoTree* places);

/// "file:line:column" of a place that is counted from 0.
std::string text_place(const std::string& file, int line, int column);

}  // namespace modelmill
