# Where the headers of ONNX Runtime are. The library itself is found when the server runs, not here.
set(MODELMILL_ORT_INCLUDE ${PROJECT_SOURCE_DIR}/build/ort-headers/include/onnxruntime CACHE PATH
  "Folder of onnxruntime_c_api.h, API version 21 or later")

if(NOT EXISTS ${MODELMILL_ORT_INCLUDE}/onnxruntime_c_api.h)
  execute_process(COMMAND ${PROJECT_SOURCE_DIR}/tools/fetch-ort-headers ${PROJECT_SOURCE_DIR}/build/ort-headers
    RESULT_VARIABLE mm_fetch_result OUTPUT_QUIET)
endif()
if(NOT EXISTS ${MODELMILL_ORT_INCLUDE}/onnxruntime_c_api.h)
  message(FATAL_ERROR "onnxruntime_c_api.h is not in ${MODELMILL_ORT_INCLUDE}. Run\n"
    "  tools/fetch-ort-headers build/ort-headers\nand configure again, or set MODELMILL_ORT_INCLUDE to the folder that has it.")
endif()
