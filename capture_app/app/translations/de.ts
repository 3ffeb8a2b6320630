<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de">
<context>
    <name>ChoiceView</name>
    <message>
        <source>Back</source>
        <translation>Zurück</translation>
    </message>
</context>
<context>
    <name>CutView</name>
    <message>
        <source>Back</source>
        <translation>Zurück</translation>
    </message>
    <message>
        <source>Cut from here</source>
        <translation>Ab hier</translation>
    </message>
    <message>
        <source>Cut up to here</source>
        <translation>Bis hier</translation>
    </message>
    <message>
        <source>Cut out a part</source>
        <translation>Teil löschen</translation>
    </message>
    <message>
        <source>One moment …</source>
        <translation>Einen Moment …</translation>
    </message>
    <message>
        <source>Slide to where the private part begins.</source>
        <translation>Zum Anfang des privaten Teils schieben.</translation>
    </message>
    <message>
        <source>Slide to where it ends.</source>
        <translation>Zu seinem Ende schieben.</translation>
    </message>
    <message>
        <source>Pictures and button presses in the red part will be deleted for good.</source>
        <translation>Bilder und Tastendrücke im roten Teil werden endgültig gelöscht.</translation>
    </message>
    <message>
        <source>Cut out</source>
        <translation>Löschen</translation>
    </message>
</context>
<context>
    <name>GripperPage</name>
    <message>
        <source>Open</source>
        <translation>Öffnen</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
    <message>
        <source>Button decides</source>
        <translation>Taste entscheidet</translation>
    </message>
    <message>
        <source>Fingers</source>
        <translation>Finger</translation>
    </message>
    <message>
        <source>Servo limits, open – closed</source>
        <translation>Servo-Grenzen, offen – zu</translation>
    </message>
    <message>
        <source>Servo</source>
        <translation>Servo</translation>
    </message>
    <message>
        <source>Keep your fingers away.</source>
        <translation>Bitte nicht in den Greifer fassen.</translation>
    </message>
    <message>
        <source>One moment …</source>
        <translation>Einen Moment …</translation>
    </message>
    <message>
        <source>Done.</source>
        <translation>Fertig.</translation>
    </message>
    <message>
        <source>The gripper refused.</source>
        <translation>Der Greifer hat abgelehnt.</translation>
    </message>
    <message>
        <source>The gripper does not answer.</source>
        <translation>Der Greifer antwortet nicht.</translation>
    </message>
    <message>
        <source>{0} open</source>
        <translation>{0} offen</translation>
    </message>
</context>
<context>
    <name>HealthPage</name>
    <message>
        <source>The camera works</source>
        <translation>Die Kamera läuft</translation>
    </message>
    <message>
        <source>No camera: plug in its cable</source>
        <translation>Keine Kamera: Kabel einstecken</translation>
    </message>
    <message>
        <source>The gripper answers</source>
        <translation>Der Greifer antwortet</translation>
    </message>
    <message>
        <source>No gripper: plug in its cable</source>
        <translation>Kein Greifer: Kabel einstecken</translation>
    </message>
    <message>
        <source>The gripper’s program</source>
        <translation>Programm des Greifers</translation>
    </message>
    <message>
        <source>The gripper’s program is unknown: update it</source>
        <translation>Programm des Greifers unbekannt: aktualisieren</translation>
    </message>
    <message>
        <source>Clocks agree</source>
        <translation>Die Uhren stimmen überein</translation>
    </message>
    <message>
        <source>The clocks are being compared</source>
        <translation>Die Uhren werden verglichen</translation>
    </message>
    <message>
        <source>No button press was lost</source>
        <translation>Kein Tastendruck ging verloren</translation>
    </message>
    <message numerus="yes">
        <source>%n button press(es) lost</source>
        <translation>
            <numerusform>%n Tastendruck verloren</numerusform>
            <numerusform>%n Tastendrücke verloren</numerusform>
        </translation>
    </message>
    <message>
        <source>The servo has not reported yet</source>
        <translation>Der Servo hat sich noch nicht gemeldet</translation>
    </message>
    <message>
        <source>The servo is well</source>
        <translation>Dem Servo geht es gut</translation>
    </message>
    <message>
        <source>The servo reports a fault: let it cool down</source>
        <translation>Der Servo meldet einen Fehler: abkühlen lassen</translation>
    </message>
    <message>
        <source>There is room to record</source>
        <translation>Es ist Platz für Aufnahmen</translation>
    </message>
    <message>
        <source>The disk is full: free up space</source>
        <translation>Der Speicher ist voll: Platz schaffen</translation>
    </message>
    <message>
        <source>Online</source>
        <translation>Online</translation>
    </message>
    <message>
        <source>Offline: uploads wait</source>
        <translation>Offline: Das Hochladen wartet</translation>
    </message>
    <message>
        <source>Uploads go to</source>
        <translation>Hochgeladen wird nach</translation>
    </message>
    <message>
        <source>No place to upload to</source>
        <translation>Kein Ziel zum Hochladen</translation>
    </message>
</context>
<context>
    <name>NoticeLayer</name>
    <message>
        <source>Undo</source>
        <translation>Zurückholen</translation>
    </message>
    <message>
        <source>OK</source>
        <translation>OK</translation>
    </message>
    <message>
        <source>Your last recording was interrupted. All that was recorded is saved: see Review.</source>
        <translation>Die letzte Aufnahme wurde unterbrochen. Alles ist gespeichert: siehe Ansehen.</translation>
    </message>
    <message>
        <source>Discarded.</source>
        <translation>Verworfen.</translation>
    </message>
    <message>
        <source>Kept. Thank you!</source>
        <translation>Behalten. Danke!</translation>
    </message>
    <message>
        <source>Cut out and deleted.</source>
        <translation>Der Teil ist gelöscht.</translation>
    </message>
</context>
<context>
    <name>ParticipantView</name>
    <message>
        <source>Who are you?</source>
        <translation>Wer nimmt auf?</translation>
    </message>
</context>
<context>
    <name>QuestionLayer</name>
    <message>
        <source>Discard this recording?</source>
        <translation>Diese Aufnahme verwerfen?</translation>
    </message>
    <message>
        <source>You can bring it back until the next recording.</source>
        <translation>Bis zur nächsten Aufnahme lässt sie sich zurückholen.</translation>
    </message>
    <message>
        <source>No, keep it</source>
        <translation>Nein, behalten</translation>
    </message>
    <message>
        <source>Discard</source>
        <translation>Verwerfen</translation>
    </message>
    <message>
        <source>Cut this part out?</source>
        <translation>Diesen Teil löschen?</translation>
    </message>
    <message>
        <source>It is deleted for good. This cannot be undone.</source>
        <translation>Er wird endgültig gelöscht und lässt sich nicht zurückholen.</translation>
    </message>
    <message>
        <source>No, go back</source>
        <translation>Nein, zurück</translation>
    </message>
    <message>
        <source>Cut out</source>
        <translation>Löschen</translation>
    </message>
    <message>
        <source>Delete what is uploaded?</source>
        <translation>Hochgeladenes hier löschen?</translation>
    </message>
    <message>
        <source>The server has a whole, checked copy. It is deleted on this device only.</source>
        <translation>Der Server hat eine vollständige, geprüfte Kopie. Nur auf diesem Gerät wird gelöscht.</translation>
    </message>
    <message>
        <source>Delete here</source>
        <translation>Hier löschen</translation>
    </message>
</context>
<context>
    <name>ReadyView</name>
    <message>
        <source>Depth</source>
        <translation>Tiefe</translation>
    </message>
    <message>
        <source>Record</source>
        <translation>Aufnehmen</translation>
    </message>
    <message>
        <source>Review</source>
        <translation>Ansehen</translation>
    </message>
    <message>
        <source>Upload</source>
        <translation>Senden</translation>
    </message>
    <message>
        <source>Task: {0}</source>
        <translation>Aufgabe: {0}</translation>
    </message>
    <message>
        <source>Plug in the camera’s cable</source>
        <translation>Kamerakabel einstecken</translation>
    </message>
    <message>
        <source>Plug the camera’s cable in again</source>
        <translation>Kamerakabel wieder einstecken</translation>
    </message>
    <message>
        <source>The picture comes back by itself.</source>
        <translation>Das Bild kommt von selbst zurück.</translation>
    </message>
    <message>
        <source>Plug in the gripper’s cable</source>
        <translation>Greiferkabel einstecken</translation>
    </message>
    <message>
        <source>Plug the gripper’s cable in again</source>
        <translation>Greiferkabel wieder einstecken</translation>
    </message>
    <message>
        <source>It is found within a few seconds.</source>
        <translation>Er wird in wenigen Sekunden gefunden.</translation>
    </message>
    <message>
        <source>The disk is full</source>
        <translation>Der Speicher ist voll</translation>
    </message>
    <message>
        <source>Upload your recordings, then free up space.</source>
        <translation>Aufnahmen hochladen, dann Platz schaffen.</translation>
    </message>
</context>
<context>
    <name>RecordingView</name>
    <message>
        <source>That one failed</source>
        <translation>Ging daneben</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>Stopp</translation>
    </message>
    <message>
        <source>Starting …</source>
        <translation>Beginnt …</translation>
    </message>
    <message>
        <source>Recording</source>
        <translation>Aufnahme läuft</translation>
    </message>
    <message>
        <source>Saving …</source>
        <translation>Speichert …</translation>
    </message>
    <message numerus="yes">
        <source>%n pick(s)</source>
        <translation>
            <numerusform>%n Griff</numerusform>
            <numerusform>%n Griffe</numerusform>
        </translation>
    </message>
    <message>
        <source>Marked</source>
        <translation>Vermerkt</translation>
    </message>
    <message>
        <source>One moment, nothing is lost.</source>
        <translation>Einen Moment, nichts geht verloren.</translation>
    </message>
    <message>
        <source>Plug the camera’s cable in again</source>
        <translation>Kamerakabel wieder einstecken</translation>
    </message>
    <message>
        <source>The recording goes on by itself.</source>
        <translation>Die Aufnahme läuft von selbst weiter.</translation>
    </message>
    <message>
        <source>The camera is gone</source>
        <translation>Die Kamera ist weg</translation>
    </message>
    <message>
        <source>Plug the gripper’s cable in again</source>
        <translation>Greiferkabel wieder einstecken</translation>
    </message>
    <message>
        <source>Something covers the camera</source>
        <translation>Etwas verdeckt die Kamera</translation>
    </message>
    <message>
        <source>Too dark: turn on a light</source>
        <translation>Zu dunkel: Licht einschalten</translation>
    </message>
    <message>
        <source>Too close: move back a little</source>
        <translation>Zu nah: etwas zurückgehen</translation>
    </message>
    <message>
        <source>A little slower, please</source>
        <translation>Bitte etwas langsamer</translation>
    </message>
    <message numerus="yes">
        <source>%n minute(s) of disk left</source>
        <translation>
            <numerusform>Platz für eine Minute</numerusform>
            <numerusform>Platz für %n Minuten</numerusform>
        </translation>
    </message>
    <message>
        <source>All is well</source>
        <translation>Alles in Ordnung</translation>
    </message>
</context>
<context>
    <name>ReviewView</name>
    <message>
        <source>Held</source>
        <translation>Gehalten</translation>
    </message>
    <message>
        <source>Missed</source>
        <translation>Verfehlt</translation>
    </message>
    <message>
        <source>Dropped</source>
        <translation>Gefallen</translation>
    </message>
    <message>
        <source>Discard</source>
        <translation>Verwerfen</translation>
    </message>
    <message>
        <source>Cut out a part</source>
        <translation>Teil löschen</translation>
    </message>
    <message>
        <source>Keep</source>
        <translation>Behalten</translation>
    </message>
    <message>
        <source>No pick was made: the gripper’s button was never pressed.</source>
        <translation>Kein Griff: Die Taste am Greifer wurde nie gedrückt.</translation>
    </message>
    <message>
        <source>All picks are labelled. Thank you!</source>
        <translation>Alle Griffe sind beurteilt. Danke!</translation>
    </message>
    <message>
        <source>How did pick {0} go?</source>
        <translation>Wie ging Griff {0} aus?</translation>
    </message>
    <message>
        <source>Pick {0}</source>
        <translation>Griff {0}</translation>
    </message>
    <message>
        <source>Looking at it …</source>
        <translation>Wird angesehen …</translation>
    </message>
    <message numerus="yes">
        <source>%n pick(s)</source>
        <translation>
            <numerusform>%n Griff</numerusform>
            <numerusform>%n Griffe</numerusform>
        </translation>
    </message>
    <message>
        <source>Interrupted, and rescued</source>
        <translation>Unterbrochen und gerettet</translation>
    </message>
    <message>
        <source>The disk was full; this much is saved</source>
        <translation>Speicher voll; bis hier gespeichert</translation>
    </message>
    <message>
        <source>The camera was gone for a while</source>
        <translation>Die Kamera war zeitweise weg</translation>
    </message>
    <message>
        <source>The gripper was gone for a while</source>
        <translation>Der Greifer war zeitweise weg</translation>
    </message>
    <message numerus="yes">
        <source>%n picture(s) lost</source>
        <translation>
            <numerusform>%n Bild verloren</numerusform>
            <numerusform>%n Bilder verloren</numerusform>
        </translation>
    </message>
    <message>
        <source>No picks</source>
        <translation>Keine Griffe</translation>
    </message>
    <message>
        <source>All is well</source>
        <translation>Alles in Ordnung</translation>
    </message>
</context>
<context>
    <name>RowCard</name>
    <message>
        <source>waiting · {0} MB</source>
        <translation>wartet · {0} MB</translation>
    </message>
    <message>
        <source>{1} of {0} MB</source>
        <translation>{1} von {0} MB</translation>
    </message>
    <message>
        <source>uploaded · {0} MB</source>
        <translation>hochgeladen · {0} MB</translation>
    </message>
    <message>
        <source>uploaded · deleted here</source>
        <translation>hochgeladen · hier gelöscht</translation>
    </message>
    <message>
        <source>could not be uploaded</source>
        <translation>konnte nicht hochgeladen werden</translation>
    </message>
</context>
<context>
    <name>SettingsView</name>
    <message>
        <source>Back</source>
        <translation>Zurück</translation>
    </message>
    <message>
        <source>Health</source>
        <translation>Zustand</translation>
    </message>
    <message>
        <source>Gripper</source>
        <translation>Greifer</translation>
    </message>
    <message>
        <source>Storage</source>
        <translation>Speicher</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>Sprache</translation>
    </message>
</context>
<context>
    <name>StartingView</name>
    <message>
        <source>Looking at your recordings …</source>
        <translation>Aufnahmen werden geprüft …</translation>
    </message>
</context>
<context>
    <name>StatusStrip</name>
    <message>
        <source>Status. Hold for settings.</source>
        <translation>Zustand. Halten für Einstellungen.</translation>
    </message>
    <message>
        <source>Camera</source>
        <translation>Kamera</translation>
    </message>
    <message>
        <source>Gripper</source>
        <translation>Greifer</translation>
    </message>
    <message>
        <source>Power</source>
        <translation>Strom</translation>
    </message>
    <message>
        <source>{0} h left</source>
        <translation>noch {0} h</translation>
    </message>
    <message>
        <source>{0} min left</source>
        <translation>noch {0} min</translation>
    </message>
    <message>
        <source>Clock</source>
        <translation>Uhr</translation>
    </message>
    <message>
        <source>Online</source>
        <translation>Online</translation>
    </message>
    <message>
        <source>Offline</source>
        <translation>Offline</translation>
    </message>
</context>
<context>
    <name>StoragePage</name>
    <message>
        <source>Free</source>
        <translation>Frei</translation>
    </message>
    <message>
        <source>Recordings here</source>
        <translation>Aufnahmen hier</translation>
    </message>
    <message>
        <source>They lie in</source>
        <translation>Sie liegen in</translation>
    </message>
    <message numerus="yes">
        <source>%n minute(s)</source>
        <translation>
            <numerusform>%n Minute</numerusform>
            <numerusform>%n Minuten</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>TaskView</name>
    <message>
        <source>What will you do?</source>
        <translation>Was wird gemacht?</translation>
    </message>
    <message>
        <source>I am not {0}</source>
        <translation>Ich bin nicht {0}</translation>
    </message>
</context>
<context>
    <name>Timeline</name>
    <message>
        <source>Position</source>
        <translation>Stelle</translation>
    </message>
</context>
<context>
    <name>UploadView</name>
    <message>
        <source>Back</source>
        <translation>Zurück</translation>
    </message>
    <message>
        <source>Nothing to upload yet.
Recordings that you keep come here.</source>
        <translation>Noch nichts hochzuladen.
Behaltene Aufnahmen kommen hierher.</translation>
    </message>
    <message>
        <source>Wi-Fi only</source>
        <translation>Nur WLAN</translation>
    </message>
    <message>
        <source>Charger only</source>
        <translation>Nur am Strom</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>Weiter</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>Pause</translation>
    </message>
    <message numerus="yes">
        <source>%n to upload</source>
        <translation>
            <numerusform>%n hochzuladen</numerusform>
            <numerusform>%n hochzuladen</numerusform>
        </translation>
    </message>
    <message>
        <source>All is uploaded</source>
        <translation>Alles hochgeladen</translation>
    </message>
    <message>
        <source>Upload</source>
        <translation>Senden</translation>
    </message>
    <message>
        <source>Free up {0}</source>
        <translation>{0} freigeben</translation>
    </message>
    <message>
        <source>Free up space</source>
        <translation>Platz schaffen</translation>
    </message>
    <message>
        <source>This device has no place to upload to yet.</source>
        <translation>Dieses Gerät hat noch kein Ziel.</translation>
    </message>
    <message>
        <source>Waits until the recording is over.</source>
        <translation>Wartet, bis die Aufnahme zu Ende ist.</translation>
    </message>
    <message>
        <source>Paused.</source>
        <translation>Pausiert.</translation>
    </message>
    <message>
        <source>Waits for a network.</source>
        <translation>Wartet auf ein Netz.</translation>
    </message>
    <message>
        <source>Waits for Wi-Fi.</source>
        <translation>Wartet auf WLAN.</translation>
    </message>
    <message>
        <source>Waits for the charger.</source>
        <translation>Wartet auf Strom.</translation>
    </message>
    <message>
        <source>The server does not answer. It is tried again.</source>
        <translation>Der Server antwortet nicht. Neuer Versuch folgt.</translation>
    </message>
    <message>
        <source>Uploading …</source>
        <translation>Wird hochgeladen …</translation>
    </message>
    <message numerus="yes">
        <source>about %n minute(s) left</source>
        <translation>
            <numerusform>noch etwa eine Minute</numerusform>
            <numerusform>noch etwa %n Minuten</numerusform>
        </translation>
    </message>
</context>
</TS>
