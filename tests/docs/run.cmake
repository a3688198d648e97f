# cmake -P run.cmake: runs PROGRAM in the empty folder FOLDER/run, beside the files of DATA, and compares what it prints with
# FOLDER/output.txt; with ROUGHLY, numbers may differ by a fifth.
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE ${FOLDER}/run)
file(COPY ${DATA}/ DESTINATION ${FOLDER}/run)
execute_process(COMMAND ${PROGRAM} WORKING_DIRECTORY ${FOLDER}/run OUTPUT_VARIABLE printed COMMAND_ERROR_IS_FATAL ANY)
file(READ ${FOLDER}/output.txt shown)
message("${printed}")
if(ROUGHLY)
  file(WRITE ${FOLDER}/printed.txt "${printed}")
  execute_process(COMMAND awk -f ${CMAKE_CURRENT_LIST_DIR}/roughly.awk ${FOLDER}/output.txt ${FOLDER}/printed.txt
                  RESULT_VARIABLE differs)
elseif(NOT "${printed}" STREQUAL "${shown}")
  set(differs 1)
endif()
if(differs)
  message("The page shows:\n${shown}")
  message(FATAL_ERROR "the program prints something else than the page shows")
endif()
