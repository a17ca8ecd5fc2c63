import { Alert, Radio, Typography } from "antd";
import type { ReactNode } from "react";
import { useSpeech } from "../../i18n";
import { importWords } from "../../i18n/imports";
import { BITS } from "./deepPictures";

interface Props {
  /** A picture of 16 bits. */
  example: string;
  /** How many of them are significant: as the data path says, and as is answered here; 0: all. */
  pathBits: number;
  bits: number;
  onChange: (bits: number) => void;
  disabled: boolean;
  /** Imports the same folder, scaled. */
  command: string;
}

/** Asks how many of 16 bits are significant; where they are fewer, says that the command scales, not browsers (D6). */
export function DeepPictures({ example, pathBits, bits, onChange, disabled, command }: Props): ReactNode {
  const { language } = useSpeech();
  const words = importWords[language];
  return (
    <div style={{ marginTop: 12 }}>
      {pathBits === 0 && (
        <>
          <p id="bits-question">{words.deepQuestion(example)}</p>
          <Radio.Group
            aria-labelledby="bits-question"
            value={bits}
            disabled={disabled}
            onChange={(event) => {
              onChange(event.target.value as number);
            }}
            options={[
              { value: 0, label: words.allBits },
              ...BITS.map((value) => ({ value, label: words.fewBits(value) })),
            ]}
          />
        </>
      )}
      {pathBits === 0 && bits === 0 ? (
        <p className="dim">{words.allBitsHint}</p>
      ) : (
        <Alert
          type="warning"
          showIcon
          style={{ marginTop: 8 }}
          title={pathBits ? words.bitsOfPath(pathBits, example) : words.bitsByCommand(bits)}
          description={
            <Typography.Text code copyable>
              {command}
            </Typography.Text>
          }
        />
      )}
    </div>
  );
}
