#include "model/yaml_keys.h"

#include <array>
#include <limits>

#include "model/route_definition.h"

namespace modelmill {
namespace {

using Form = YamlRule::Form;

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kMostInt = std::numeric_limits<int32_t>::max();
constexpr int64_t kMostInstances = 1'024;
constexpr int64_t kMostLevels = 1'000;

constexpr YamlRule kText{.form = Form::kText};
constexpr YamlRule kSwitch{.form = Form::kSwitch};
constexpr YamlRule kTime{.form = Form::kTime};
constexpr YamlRule kBytes{.form = Form::kBytes};
constexpr YamlRule kVersion{.form = Form::kNumber, .least = 1, .most = kMost};
constexpr YamlRule kAtLeastOne{.form = Form::kNumber, .least = 1, .most = kMostInt};
constexpr YamlRule kNotNegative{.form = Form::kNumber, .least = 0, .most = kMostInt};
constexpr YamlRule kInstances{.form = Form::kNumber, .least = 0, .most = kMostInstances};
constexpr YamlRule kMostInstancesRule{.form = Form::kNumber, .least = 1, .most = kMostInstances};
constexpr YamlRule kSizes{.form = Form::kList, .least = 1, .item = &kAtLeastOne};
constexpr YamlRule kTexts{.form = Form::kMap, .item = &kText};

constexpr std::array<std::string_view, 1> kAllChoice{"all"};
constexpr YamlRule kAll{.form = Form::kChoice, .choices = kAllChoice};
constexpr YamlRule kVersionList{.form = Form::kList, .least = 1, .item = &kVersion};
constexpr std::array kVersionKeys{
    YamlKey{"latest", &kAtLeastOne, "So many versions, the newest ones."},
    YamlKey{"specific", &kVersionList, "These versions."},
};
constexpr YamlRule kVersions{.form = Form::kGroup, .keys = kVersionKeys, .other = &kAll};
constexpr YamlRule kLabels{.form = Form::kMap, .item = &kVersion};

constexpr std::array kInstanceKeys{
    YamlKey{"min", &kInstances, "The least number of instances."},
    YamlKey{"max", &kMostInstancesRule, "The most instances; their number follows the load."},
    YamlKey{"zero_after", &kTime, "Idle for so long, the model has no instance until it is asked again."},
};
constexpr YamlRule kInstanceGroup{.form = Form::kGroup, .keys = kInstanceKeys, .other = &kInstances};
constexpr std::array<std::string_view, 3> kDeviceChoices{"auto", "cpu", "gpu"};
constexpr YamlRule kDevice{.form = Form::kChoice, .choices = kDeviceChoices};
constexpr YamlRule kDeviceMemory{.form = Form::kMap, .item = &kBytes, .numbered = true, .other = &kBytes};
constexpr YamlRule kGpus{.form = Form::kList, .least = 1, .item = &kNotNegative};

constexpr std::array<std::string_view, 3> kPrecisionChoices{"bf16", "fp16", "int8"};
constexpr YamlRule kPrecision{.form = Form::kChoice, .choices = kPrecisionChoices};
constexpr YamlRule kPrecisions{.form = Form::kList, .item = &kPrecision};

constexpr std::array kObjectiveKeys{
    YamlKey{"p99", &kTime, "The time within which 99 of 100 requests are to be answered.", true},
};
constexpr YamlRule kObjective{.form = Form::kGroup, .keys = kObjectiveKeys};
constexpr std::array<std::string_view, 1> kOffChoice{"off"};
constexpr YamlRule kOff{.form = Form::kChoice, .choices = kOffChoice};
constexpr std::array kBatchingKeys{
    YamlKey{"max_size", &kNotNegative, "Rows of one execution, at most; 0: the model has no batch dimension."},
    YamlKey{"delay", &kTime, "How long a request may wait for others to share its batch."},
    YamlKey{"preferred_sizes", &kSizes, "Sizes that end the waiting."},
    YamlKey{"allowed_sizes", &kSizes, "Sizes that batches are filled up to; the last is max_size."},
    YamlKey{"preserve_ordering", &kSwitch, "Answers come in the order of their requests."},
    YamlKey{"objective", &kObjective, "What the server is to hold by its choice of batches."},
};
constexpr YamlRule kBatching{.form = Form::kGroup, .keys = kBatchingKeys, .other = &kOff};

constexpr std::array<std::string_view, 2> kTimeoutChoices{"reject", "delay"};
constexpr YamlRule kTimeoutAction{.form = Form::kChoice, .choices = kTimeoutChoices};
constexpr std::array kQueueKeys{
    YamlKey{"max_size", &kNotNegative, "Requests that may wait; 0: as many as the server allows."},
    YamlKey{"timeout", &kTime, "How long a request may wait."},
    YamlKey{"timeout_action", &kTimeoutAction, "What becomes of one that has waited longer."},
    YamlKey{"allow_timeout_override", &kSwitch, "Requests may bring a shorter timeout of their own."},
};
constexpr YamlRule kQueue{.form = Form::kGroup, .keys = kQueueKeys};
constexpr YamlRule kLevel{.form = Form::kNumber, .least = 1, .most = kMostLevels};
constexpr YamlRule kLevelQueues{.form = Form::kMap, .least = 1, .item = &kQueue, .numbered = true};
constexpr std::array kPriorityKeys{
    YamlKey{"levels", &kLevel, "Levels of priority, of which 1 is served first.", true},
    YamlKey{"default", &kLevel, "Of requests that name none.", true},
    YamlKey{"queues", &kLevelQueues, "The queues of single levels, by their number."},
};
constexpr YamlRule kPriorities{.form = Form::kGroup, .keys = kPriorityKeys};

constexpr std::array<std::string_view, 14> kTypeChoices{"BOOL", "UINT8", "UINT16", "UINT32", "UINT64",
                                                        "INT8", "INT16", "INT32",  "INT64",  "FP16",
                                                        "FP32", "FP64",  "BYTES",  "BF16"};
constexpr YamlRule kType{.form = Form::kChoice, .choices = kTypeChoices};
constexpr YamlRule kDim{.form = Form::kNumber, .least = -1, .most = kMost};
constexpr YamlRule kDims{.form = Form::kList, .least = 1, .item = &kDim};
constexpr YamlRule kReshape{.form = Form::kList, .item = &kDim};
constexpr std::array kInputKeys{
    YamlKey{"name", &kText, "The input's name in the model.", true},
    YamlKey{"type", &kType, "The type of its elements.", true},
    YamlKey{"dims", &kDims, "Its sizes, -1 for any; without the batch dimension when batching.max_size is above 0.",
            true},
    YamlKey{"reshape", &kReshape, "The sizes that the model itself takes, where they differ."},
    YamlKey{"optional", &kSwitch, "Requests may leave it out."},
    YamlKey{"ragged", &kSwitch, "Requests whose sizes differ here may share a batch."},
};
constexpr YamlRule kInput{.form = Form::kGroup, .keys = kInputKeys};
constexpr YamlRule kInputs{.form = Form::kList, .least = 1, .item = &kInput};
constexpr std::array kOutputKeys{
    YamlKey{"name", &kText, "The output's name in the model.", true},
    YamlKey{"type", &kType, "The type of its elements.", true},
    YamlKey{"dims", &kDims, "Its sizes, -1 for any; without the batch dimension when batching.max_size is above 0.",
            true},
    YamlKey{"reshape", &kReshape, "The sizes that the model itself gives, where they differ."},
    YamlKey{"labels", &kText, "A file in the model's folder with one class name a line."},
};
constexpr YamlRule kOutput{.form = Form::kGroup, .keys = kOutputKeys};
constexpr YamlRule kOutputs{.form = Form::kList, .least = 1, .item = &kOutput};

constexpr std::array<std::string_view, 2> kFillChoices{"zero", "random"};
constexpr YamlRule kFill{.form = Form::kChoice, .choices = kFillChoices};
constexpr YamlRule kSize{.form = Form::kNumber, .least = 0, .most = kMost};
constexpr YamlRule kWarmupDims{.form = Form::kList, .item = &kSize};
constexpr std::array kWarmupInputKeys{
    YamlKey{"type", &kType, "The type of its elements.", true},
    YamlKey{"dims", &kWarmupDims, "Its sizes, without the batch dimension.", true},
    YamlKey{"fill", &kFill, "Values that are made up."},
    YamlKey{"file", &kText, "A file in the model's folder warmup with the values, raw and row-major."},
};
constexpr YamlRule kWarmupInput{.form = Form::kGroup, .keys = kWarmupInputKeys};
constexpr YamlRule kWarmupInputs{.form = Form::kMap, .item = &kWarmupInput};
constexpr std::array kWarmupKeys{
    YamlKey{"name", &kText, "The sample's name, for errors."},
    YamlKey{"batch_size", &kAtLeastOne, "Requests of the sample that run together."},
    YamlKey{"count", &kAtLeastOne, "How often it runs."},
    YamlKey{"inputs", &kWarmupInputs, "Its inputs, by name.", true},
};
constexpr YamlRule kSample{.form = Form::kGroup, .keys = kWarmupKeys};
constexpr YamlRule kWarmup{.form = Form::kList, .least = 1, .item = &kSample};

constexpr std::array<std::string_view, 2> kSwapChoices{"availability", "resource"};
constexpr YamlRule kSwap{.form = Form::kChoice, .choices = kSwapChoices};

constexpr std::array<std::string_view, 5> kCombinerChoices{"average", "weighted", "max", "majority", "soft_vote"};
constexpr YamlRule kCombiner{.form = Form::kChoice, .choices = kCombinerChoices};
constexpr std::array kMemberKeys{
    YamlKey{"model", &kText, "The member: MODEL, MODEL@VERSION or MODEL@LABEL.", true},
    YamlKey{"weight", &kText, "How much its answer counts; 1 when absent."},
};
constexpr YamlRule kMember{.form = Form::kGroup, .keys = kMemberKeys, .other = &kText};
constexpr YamlRule kMembers{.form = Form::kList, .least = 2, .item = &kMember};
constexpr YamlRule kNames{.form = Form::kList, .least = 1, .item = &kText};
constexpr std::array<std::string_view, 2> kReductionChoices{"all", "any"};
constexpr YamlRule kReduction{.form = Form::kChoice, .choices = kReductionChoices};
constexpr std::array kWhenKeys{
    YamlKey{"tensor", &kText, "The tensor that is looked at: an input of the ensemble, or what a step writes.", true},
    YamlKey{"above", &kText, "It is larger than this number."},
    YamlKey{"at_least", &kText, "It is this number or larger."},
    YamlKey{"below", &kText, "It is smaller than this number."},
    YamlKey{"at_most", &kText, "It is this number or smaller."},
    YamlKey{"equals", &kText, "It is this number, or this text."},
    YamlKey{"differs", &kText, "It is another number, or another text."},
    YamlKey{"of", &kReduction, "Which of its elements that must be true of; all when absent."},
};
constexpr std::array<std::string_view, 1> kOtherwiseChoice{"otherwise"};
constexpr YamlRule kOtherwise{.form = Form::kChoice, .choices = kOtherwiseChoice};
constexpr YamlRule kWhen{.form = Form::kGroup, .keys = kWhenKeys, .other = &kOtherwise};
constexpr std::array kStepKeys{
    YamlKey{"model", &kText, "The member: MODEL, MODEL@VERSION.", true},
    YamlKey{"inputs", &kTexts, "Tensors of the ensemble, by the member's inputs that they are for.", true},
    YamlKey{"outputs", &kTexts, "Names of the member's outputs as tensors of the ensemble.", true},
    YamlKey{"when", &kWhen,
            "It runs only where this is true of the request; otherwise: where no step before it ran that writes the "
            "same tensors."},
};
constexpr YamlRule kStep{.form = Form::kGroup, .keys = kStepKeys};
constexpr YamlRule kSteps{.form = Form::kList, .least = 1, .item = &kStep};
constexpr std::array<std::string_view, 1> kLearnChoices{"feedback"};
constexpr YamlRule kLearn{.form = Form::kChoice, .choices = kLearnChoices};
constexpr std::array<std::string_view, 4> kLossChoices{"zero_one", "brier", "squared", "absolute"};
constexpr YamlRule kLoss{.form = Form::kChoice, .choices = kLossChoices};
constexpr std::array kWeightsKeys{
    YamlKey{"learn", &kLearn, "What they are learned of: feedback by the ids of requests.", true},
    YamlKey{"rate", &kText, "How strongly one loss counts, above 0 and up to 10; 0.1 when absent."},
    YamlKey{"floor", &kText, "The least that a member's weight can be, of all together 1; 0.01 when absent."},
    YamlKey{"loss", &kLoss,
            "What a member's answer costs it; zero_one of majority, brier of soft_vote, squared of weighted when "
            "absent."},
    YamlKey{"range", &kText, "Of squared and absolute: an error that costs all; 1 when absent."},
    YamlKey{"output", &kText, "The output that labels are for; the first that is combined when absent."},
};
constexpr YamlRule kWeights{.form = Form::kGroup, .keys = kWeightsKeys};
constexpr std::array kEnsembleKeys{
    YamlKey{"combine", &kCombiner, "How the answers of the members become one."},
    YamlKey{"members", &kMembers, "Models that all get the request."},
    YamlKey{"outputs", &kNames, "The members' outputs that are combined; all that can be when absent."},
    YamlKey{"quorum", &kAtLeastOne, "How many members are enough; all when absent."},
    YamlKey{"deadline", &kTime, "How long members are waited for."},
    YamlKey{"weights", &kWeights, "How the members' weights are learned; they stay as they are set when absent."},
    YamlKey{"steps", &kSteps, "Instead of members: requests whose tensors lead from one model to the next."},
};
constexpr YamlRule kEnsemble{.form = Form::kGroup, .keys = kEnsembleKeys};

constexpr YamlRule kPercent{.form = Form::kPercent};
constexpr YamlRule kSplit{.form = Form::kMap, .item = &kPercent};
constexpr std::array kRouteRuleKeys{
    YamlKey{"when", &kText, "What is looked at: header:NAME, cookie:NAME, parameter:NAME or client.", true},
    YamlKey{"is", &kText, "The value that it must have; of the client an address or network. Any when absent."},
    YamlKey{"to", &kText, "Where such requests go: MODEL, MODEL@VERSION or MODEL@LABEL.", true},
};
constexpr YamlRule kRouteRule{.form = Form::kGroup, .keys = kRouteRuleKeys};
constexpr YamlRule kRouteRules{.form = Form::kList, .item = &kRouteRule};
constexpr YamlRule kTargets{.form = Form::kList, .least = 1, .item = &kText};
constexpr std::array<std::string_view, 3> kFailureChoices{"error", "timeout", "overload"};
constexpr YamlRule kFailure{.form = Form::kChoice, .choices = kFailureChoices};
constexpr YamlRule kFailures{.form = Form::kList, .least = 1, .item = &kFailure};
constexpr YamlRule kElements{.form = Form::kList};
constexpr std::array kAnswerOutputKeys{
    YamlKey{"name", &kText, "The output's name.", true},
    YamlKey{"datatype", &kType, "The type of its elements.", true},
    YamlKey{"shape", &kWarmupDims, "Its sizes, with the batch dimension.", true},
    YamlKey{"data", &kElements, "Its elements, in lists of any depth.", true},
};
constexpr YamlRule kAnswerOutput{.form = Form::kGroup, .keys = kAnswerOutputKeys};
constexpr YamlRule kAnswerOutputs{.form = Form::kList, .least = 1, .item = &kAnswerOutput};
constexpr std::array kAnswerKeys{YamlKey{"outputs", &kAnswerOutputs, "What it has.", true}};
constexpr YamlRule kAnswer{.form = Form::kGroup, .keys = kAnswerKeys};
constexpr std::array kFallbackKeys{
    YamlKey{"to", &kTargets, "Targets that are asked one after the other where one fails."},
    YamlKey{"answer", &kAnswer, "The answer where all have failed."},
    YamlKey{"on", &kFailures, "What counts as failing; all three when absent."},
    YamlKey{"timeout", &kTime, "How long one may take that another can follow."},
};
constexpr YamlRule kFallback{.form = Form::kGroup, .keys = kFallbackKeys};
constexpr std::array kBreakerKeys{
    YamlKey{"failures", &kAtLeastOne, "Failures one after the other that open it; 5 when absent."},
    YamlKey{"open", &kTime, "How long nothing is asked then; 5s when absent."},
    YamlKey{"probes", &kAtLeastOne, "Good probes that close it again; 2 when absent."},
};
constexpr YamlRule kBreaker{.form = Form::kGroup, .keys = kBreakerKeys};
constexpr YamlRule kShare{.form = Form::kPercent, .other = &kText};
constexpr std::array<std::string_view, kComparisonKinds> kComparisonChoices{"equal", "tolerance", "top_k", "kl",
                                                                            "function"};
constexpr YamlRule kComparisonKind{.form = Form::kChoice, .choices = kComparisonChoices};
constexpr std::array kComparisonKeys{
    YamlKey{"kind", &kComparisonKind, "What is measured.", true},
    YamlKey{"absolute", &kText, "Of tolerance: by how much numbers may differ."},
    YamlKey{"relative", &kText, "Of tolerance: and by which part of the primary's."},
    YamlKey{"k", &kAtLeastOne, "Of top_k: how many of the largest; 1 when absent."},
    YamlKey{"threshold", &kText, "Of kl: nats; 0.05 when absent."},
    YamlKey{"softmax", &kSwitch, "Of kl: the outputs are logits."},
    YamlKey{"model", &kText, "Of function: the model that has it, such as agree or agree@2."},
};
constexpr YamlRule kComparison{.form = Form::kGroup, .keys = kComparisonKeys};
constexpr YamlRule kComparisons{.form = Form::kMap, .item = &kComparison};
constexpr YamlRule kExamples{.form = Form::kNumber, .least = 0, .most = RouteShadow::kMostExamples};
constexpr std::array kShadowKeys{
    YamlKey{"target", &kText, "What gets copies of the requests: MODEL, MODEL@VERSION or MODEL@LABEL.", true},
    YamlKey{"share", &kShare, "Percents of the requests, such as 10%; all when absent."},
    YamlKey{"of", &kText, "Only what this target of the route answers is copied; what any does when absent."},
    YamlKey{"timeout", &kTime, "How long its answer is waited for; 10s when absent."},
    YamlKey{"examples", &kExamples, "How many of the worst answers are kept; 10 when absent."},
    YamlKey{"compare", &kComparisons, "How outputs are compared, by their names; '*' stands for all others."},
};
constexpr YamlRule kShadow{.form = Form::kGroup, .keys = kShadowKeys};
constexpr YamlRule kShadows{.form = Form::kList, .item = &kShadow};
constexpr std::array kRouteKeys{
    YamlKey{"name", &kText, "The name that clients use.", true},
    YamlKey{"split", &kSplit, "Percents by MODEL, MODEL@VERSION or MODEL@LABEL, which sum to 100.", true},
    YamlKey{"rules", &kRouteRules, "Requests that go elsewhere; the first rule that matches decides."},
    YamlKey{"sticky", &kText, "Requests of one value of this key stay together: header:NAME, cookie:NAME, ..."},
    YamlKey{"salt", &kText, "Another one assigns the keys anew; the route's name when absent."},
    YamlKey{"fallback", &kFallback, "What is done where a target fails."},
    YamlKey{"breaker", &kBreaker, "When a target that fails is not asked any more."},
    YamlKey{"shadow", &kShadows, "Versions that get copies of answered requests, to be compared."},
};
constexpr YamlRule kRoute{.form = Form::kGroup, .keys = kRouteKeys};
constexpr YamlRule kRoutes{.form = Form::kList, .item = &kRoute};

constexpr YamlRule kTextList{.form = Form::kList, .item = &kText};
constexpr YamlRule kRolloutSteps{.form = Form::kText, .other = &kTextList};
constexpr std::array kRolloutKeys{
    YamlKey{"name", &kText, "The route or model that is moved.", true},
    YamlKey{"to", &kText, "The version or target that it is to have, such as 7 or '@canary'.", true},
    YamlKey{"from", &kText, "What is moved from; what serves when absent."},
    YamlKey{"steps", &kRolloutSteps,
            "Percents that grow to 100, such as [5, 25, 50, 100]; before them such as shadow:10@30m."},
    YamlKey{"hold", &kText, "How long each step is, at least: 10m, 2h."},
    YamlKey{"gates", &kTextList, "What the new one must keep to, such as p99<=1.1x."},
    YamlKey{"compare", &kComparisons, "How answers are compared, by outputs' names; '*' stands for all others."},
    YamlKey{"min_requests", &kAtLeastOne, "What each arm must have answered before a step is left; 100 when absent."},
    YamlKey{"sticky", &kText, "Of a model: requests of one value of this key stay together."},
};
constexpr YamlRule kRollout{.form = Form::kGroup, .keys = kRolloutKeys};
constexpr YamlRule kRollouts{.form = Form::kList, .item = &kRollout};
constexpr std::array kExperimentKeys{
    YamlKey{"name", &kText, "The experiment's name.", true},
    YamlKey{"route", &kText, "The route whose arms are compared.", true},
    YamlKey{"goal", &kText, "The metric that decides, such as purchase or revenue:mean.", true},
    YamlKey{"guardrails", &kTextList, "What must not get worse, such as refund<=+0.5pp."},
    YamlKey{"control", &kText, "The arm that the others are compared with; the largest share when absent."},
    YamlKey{"window", &kText, "How long after its first request what a user does counts; 1h when absent."},
    YamlKey{"margin", &kText, "A difference that doesn't matter; 0 when absent."},
    YamlKey{"alpha", &kText, "The chance of finding a winner where there is none; 0.05 when absent."},
    YamlKey{"min_users", &kAtLeastOne, "What each arm must have counted before anything is decided."},
    YamlKey{"users", &kAtLeastOne, "How many users of all arms are expected."},
    YamlKey{"deploy_winner", &kSwitch, "A winner gets all of the route by itself."},
};
constexpr YamlRule kExperiment{.form = Form::kGroup, .keys = kExperimentKeys};
constexpr YamlRule kExperiments{.form = Form::kList, .item = &kExperiment};

constexpr YamlKey kSchemaVersion{"schema_version", &kAtLeastOne, "The version of this format, 1."};
constexpr std::array kModelKeys{
    YamlKey{"name", &kText, "The name that clients use; that of the file or folder when absent."},
    YamlKey{
        "path", &kText,
        "The model's file, folder or archive, relative to the folder of this file, or a URL; its name when absent."},
    YamlKey{"ensemble", &kEnsemble, "The models that it is made of."},
    YamlKey{"backend", &kText, "What runs it, such as onnxruntime; found by its file when absent."},
    YamlKey{"runtime", &kText,
            "auto: the fastest of the runtimes that can run it, found by measurement; default: the one that its file "
            "stands for; or a backend's name."},
    YamlKey{"runtime_precisions", &kPrecisions,
            "Lower precisions than the model's own that auto may choose where they are faster, within "
            "runtime_tolerance."},
    YamlKey{"runtime_tolerance", &kText,
            "By how much answers of another runtime may differ, relative to an output's largest value, such as 1e-4."},
    YamlKey{"file", &kText, "The model's file in the folder of each version, where it isn't named as usual."},
    YamlKey{"versions", &kVersions, "Which of the versions are served; the newest one when absent."},
    YamlKey{"labels", &kLabels, "Names of versions, such as stable: 3."},
    YamlKey{"default_version", &kVersion, "The version of requests that name none; the newest when absent."},
    YamlKey{"instances", &kInstanceGroup, "Copies that run side by side; 0 chooses."},
    YamlKey{"instance_threads", &kInstances, "Threads inside each copy; 0 chooses."},
    YamlKey{"device", &kDevice, "Where they run."},
    YamlKey{"gpus", &kGpus, "The GPUs that they run on, each with so many instances."},
    YamlKey{"instance_memory", &kBytes,
            "What each instance takes of its GPU's memory, such as 2GiB; it counts where the backend can't tell."},
    YamlKey{"batching", &kBatching, "Whether and how requests run together; found out when absent."},
    YamlKey{"queue", &kQueue, "What waits for the model."},
    YamlKey{"priorities", &kPriorities, "Levels of priority."},
    YamlKey{"decoupled", &kSwitch, "Requests may have any number of answers."},
    YamlKey{"response_cache", &kSwitch,
            "Answers are kept, and given again to who asks the same, in a server with --response-cache-bytes."},
    YamlKey{"swap", &kSwap, "Whether a new version is loaded before the old one goes, or after."},
    YamlKey{"allow_breaking", &kSwitch, "A new version may have other inputs and outputs than the one it replaces."},
    YamlKey{"pinned", &kSwitch, "The model isn't put away to make room for others."},
    YamlKey{"inputs", &kInputs, "Its inputs, where the model's own word isn't enough."},
    YamlKey{"outputs", &kOutputs, "Its outputs, where the model's own word isn't enough."},
    YamlKey{"parameters", &kTexts, "Settings of the backend."},
    YamlKey{"metric_tags", &kTexts, "Labels of the model's metrics."},
    YamlKey{"warmup", &kWarmup, "Requests that are run before the model is served."},
};
constexpr YamlRule kModel{.form = Form::kGroup, .keys = kModelKeys};
constexpr YamlRule kModels{.form = Form::kList, .item = &kModel};

constexpr auto with_schema_version() {
  std::array<YamlKey, kModelKeys.size() + 1> keys{kSchemaVersion};
  for (size_t i = 0; i < kModelKeys.size(); ++i) keys[i + 1] = kModelKeys[i];
  return keys;
}
constexpr auto kSingleKeys = with_schema_version();
constexpr YamlRule kSingle{.form = Form::kGroup, .keys = kSingleKeys};
constexpr YamlKey kRoutesKey{"routes", &kRoutes, "Names over versions and models."};
constexpr YamlKey kRolloutsKey{"rollouts", &kRollouts, "Where routes and models are to be moved, step by step."};
constexpr YamlKey kExperimentsKey{"experiments", &kExperiments, "What is to be found out about routes' arms."};
constexpr YamlKey kDeviceMemoryKey{"device_memory", &kDeviceMemory,
                                   "What models may take of each GPU's memory, or of single ones by their numbers."};
constexpr std::array kListingKeys{kSchemaVersion,  YamlKey{"models", &kModels, "The models that are served.", true},
                                  kRoutesKey,      kRolloutsKey,
                                  kExperimentsKey, kDeviceMemoryKey};
constexpr YamlRule kListing{.form = Form::kGroup, .keys = kListingKeys};
constexpr YamlRule kAnyModels{.form = Form::kList};
constexpr std::array kFrameKeys{kSchemaVersion,  YamlKey{"models", &kAnyModels, {}, true},
                                kRoutesKey,      kRolloutsKey,
                                kExperimentsKey, kDeviceMemoryKey};
constexpr YamlRule kFrame{.form = Form::kGroup, .keys = kFrameKeys};

}  // namespace

const YamlRule& yaml_listing_rule() { return kListing; }
const YamlRule& yaml_listing_frame_rule() { return kFrame; }
const YamlRule& yaml_single_rule() { return kSingle; }
const YamlRule& yaml_model_rule() { return kModel; }

}  // namespace modelmill
